package harness

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// VersitygwVersion is the S3 server's.
const VersitygwVersion = "v1.8.0"

// S3 is a server that speaks S3's protocol and keeps objects as files: versitygw.
type S3 struct {
	*Process
	// URL is the service's; Key and Secret are its one user's.
	URL, Key, Secret string
	// Dir has a directory for each bucket. Making one makes the bucket.
	Dir string
}

// StartS3 starts a server without buckets and waits until it listens. It is built once, into the user's cache, which takes
// some minutes.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	Need(t, "go", "the Go toolchain", "golang")
	bin := Cached(t, "versitygw-"+VersitygwVersion, func(ctx context.Context, dir string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "go", "install", "github.com/versity/versitygw/cmd/versitygw@"+VersitygwVersion)
		cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
		cmd.Dir = dir // not this module's: its versions are the server's own
		return cmd
	})
	addr := freeAddr(t)
	s := &S3{URL: "http://" + addr, Key: "testkey", Secret: "testsecret", Dir: t.TempDir()}
	s.Process = Run(t, "versitygw", filepath.Join(bin, "versitygw"), "--port", addr, "--access", s.Key, "--secret", s.Secret, "posix", s.Dir)
	s.AwaitListening(t)
	return s
}

// AwaitListening waits until it takes connections.
func (s *S3) AwaitListening(t testing.TB) {
	t.Helper()
	Await(t, "versitygw listens on "+s.URL, time.Minute, func() bool { return listens(s.URL[len("http://"):]) })
}

// Bucket makes a bucket and says where its objects are.
func (s *S3) Bucket(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(s.Dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Python is an interpreter with packages, as pip names them, in the user's cache. name is the set's.
func Python(t testing.TB, name string, packages ...string) string {
	t.Helper()
	Need(t, "python3", "Python 3 with venv", "python3 python3-venv")
	dir := Cached(t, "python-"+name, func(ctx context.Context, dir string) *exec.Cmd {
		return exec.CommandContext(ctx, "python3", "-m", "venv", dir)
	}, func(ctx context.Context, dir string) *exec.Cmd {
		return exec.CommandContext(ctx, filepath.Join(dir, "bin/pip"), append([]string{"install", "--quiet"}, packages...)...)
	})
	return filepath.Join(dir, "bin/python")
}

// RunPython runs a script, and returns what it prints. It has ten minutes.
func RunPython(t testing.TB, python, script string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, append([]string{script}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}
