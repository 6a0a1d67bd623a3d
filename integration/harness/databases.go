package harness

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // for tests' own connections
	_ "github.com/jackc/pgx/v5/stdlib" // as above
)

// What a database's users are called in tests.
const (
	DatabaseUser     = "sluice"
	DatabasePassword = "swordfish-7421"
)

// Database is a server of one database, named as DatabaseUser, who owns it.
type Database struct {
	*Process
	// Port it listens on, at 127.0.0.1.
	Port int
	// JDBC is its URL, without a user.
	JDBC string
	// SQL is a connection of the test's own, that of DatabaseUser. It outlives restarts.
	SQL *sql.DB
}

// StartPostgres starts a PostgreSQL and waits until it answers. Its password is wanted from everybody.
func StartPostgres(t testing.TB) *Database {
	t.Helper()
	bin := postgresBin(t)
	dir, as := databaseDir(t, "postgres")
	data, port := filepath.Join(dir, "data"), FreePort(t)
	pw := filepath.Join(dir, "pw")
	if err := os.WriteFile(pw, []byte(DatabasePassword), 0o644); err != nil { //nolint:gosec // another user reads it
		t.Fatal(err)
	}
	run(t, append(as, filepath.Join(bin, "initdb"), "-D", data, "-A", "scram-sha-256", "-U", DatabaseUser, "--pwfile="+pw, "-N")...)
	args := append(as, filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200")
	db := &Database{Port: port, JDBC: fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/postgres", port)}
	db.Process = &Process{Name: "postgres", t: t, dir: t.TempDir(), bin: args[0], args: args[1:]}
	db.serve(t, "pgx", fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres?default_query_exec_mode=describe_exec", DatabaseUser, DatabasePassword, port))
	return db
}

// StartMariaDB starts a MariaDB and waits until it answers.
func StartMariaDB(t testing.TB) *Database {
	t.Helper()
	Need(t, "mariadbd", "MariaDB's server", "mariadb-server")
	dir, as := databaseDir(t, "mysql")
	data, port := filepath.Join(dir, "data"), FreePort(t)
	run(t, append(as, "mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")...)
	sqlFile := filepath.Join(dir, "init.sql")
	init := fmt.Sprintf("CREATE USER IF NOT EXISTS '%[1]s'@'127.0.0.1' IDENTIFIED BY '%[2]s';\nGRANT ALL ON *.* TO '%[1]s'@'127.0.0.1' WITH GRANT OPTION;\nCREATE DATABASE IF NOT EXISTS %[1]s;\n", DatabaseUser, DatabasePassword)
	if err := os.WriteFile(sqlFile, []byte(init), 0o644); err != nil { //nolint:gosec // another user reads it
		t.Fatal(err)
	}
	args := append(as, "mariadbd", "--no-defaults", "--datadir="+data, "--port="+strconv.Itoa(port), "--bind-address=127.0.0.1", "--socket="+filepath.Join(dir, "s.sock"),
		"--pid-file="+filepath.Join(dir, "pid"), "--init-file="+sqlFile, "--innodb-flush-log-at-trx-commit=2", "--skip-name-resolve")
	db := &Database{Port: port, JDBC: fmt.Sprintf("jdbc:mariadb://127.0.0.1:%d/%s", port, DatabaseUser)}
	db.Process = &Process{Name: "mariadb", t: t, dir: t.TempDir(), bin: args[0], args: args[1:]}
	db.serve(t, "mysql", fmt.Sprintf("%[1]s:%[2]s@tcp(127.0.0.1:%[3]d)/%[1]s?multiStatements=true", DatabaseUser, DatabasePassword, port))
	return db
}

// serve starts the server and waits until it answers.
func (d *Database) serve(t testing.TB, driver, dsn string) {
	t.Helper()
	pool, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	d.SQL = pool
	d.Start()
	t.Cleanup(func() { _ = pool.Close(); d.Halt() })
	d.AwaitAnswers()
}

// AwaitAnswers waits until the server answers.
func (d *Database) AwaitAnswers() {
	d.t.Helper()
	Await(d.t, d.Name+" answers", time.Minute, func() bool {
		select {
		case <-d.ended:
			d.t.Fatalf("%s has ended: %s", d.Name, tail(d.log(d.lives)))
		default:
		}
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", d.Port), time.Second) //nolint:noctx // it has a timeout
		if err != nil {
			return false
		}
		_ = c.Close()
		return d.SQL.PingContext(d.t.Context()) == nil
	})
}

// Halt stops the server at once and in good order: it waits for no client.
func (d *Database) Halt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := syscall.SIGTERM
	if d.Name == "postgres" {
		s = syscall.SIGINT
	}
	d.signal(s)
	select {
	case <-d.ended:
	case <-time.After(30 * time.Second):
		d.signal(syscall.SIGKILL)
		<-d.ended
	}
}

// Exec runs statements.
func (d *Database) Exec(statements ...string) {
	d.t.Helper()
	for _, s := range statements {
		if _, err := d.SQL.ExecContext(d.t.Context(), s); err != nil {
			d.t.Fatalf("%s: %v", s, err)
		}
	}
}

// Count is the one number of a query; -1 where it fails, as while there is no such table.
func (d *Database) Count(query string, args ...any) int {
	n := -1
	if err := d.SQL.QueryRowContext(d.t.Context(), query, args...).Scan(&n); err != nil {
		return -1
	}
	return n
}

// postgresBin is the directory of PostgreSQL's programs.
func postgresBin(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		if _, err := exec.LookPath("postgres"); err == nil {
			return filepath.Dir(path)
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("initdb is missing: install PostgreSQL's server (Debian: apt-get install -y --no-install-recommends postgresql-15)")
	}
	return filepath.Dir(found[len(found)-1])
}

// databaseDir is a directory of a server that refuses to run as root, and how it is run: as the account of its package.
func databaseDir(t testing.TB, account string) (dir string, as []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice-"+account+"-") // not below the test's own, which nobody else may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Geteuid() != 0 {
		return dir, nil
	}
	u, err := user.Lookup(account)
	if err != nil {
		t.Fatalf("root cannot run this server, and its package's account is missing: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid) // numbers, on Unix
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return dir, []string{"setpriv", "--reuid=" + u.Uid, "--regid=" + u.Gid, "--clear-groups"}
}

func run(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...) //nolint:gosec // a test's own
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
