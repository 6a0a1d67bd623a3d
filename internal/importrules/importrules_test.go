package importrules

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/sluice-project/sluice/"

// deps lists what the packages import, directly and indirectly, with or without cgo.
func deps(t *testing.T, cgo string, patterns ...string) []string {
	t.Helper()
	return list(t, cgo, append([]string{"list", "-deps"}, patterns...)...)
}

func list(t *testing.T, cgo string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return strings.Fields(string(out))
}

func TestWalls_NobodyReachesWhatTheyMustNot(t *testing.T) {
	const kafka, etcd, kfake = "github.com/confluentinc/confluent-kafka-go", "go.etcd.io/", "github.com/twmb/franz-go/pkg/kfake"
	for _, c := range []struct {
		who    string
		cgo    string
		denied []string
	}{
		{"./controlplane/...", "0", []string{kafka, kfake, module + "connectors", module + "executor", module + "gateway"}},
		{"./gateway/...", "0", []string{kafka, kfake, etcd, module + "connectors", module + "executor", module + "controlplane"}},
		{"./executor/...", "1", []string{etcd, kfake, module + "controlplane", module + "gateway", module + "connectors/builtin"}},
		{"./connectors/converter", "0", []string{kafka, etcd, module + "executor", module + "controlplane", module + "gateway"}},
		{"./internal/...", "1", []string{kafka, etcd, module + "connectors", module + "executor", module + "controlplane", module + "gateway"}},
	} {
		for _, d := range deps(t, c.cgo, c.who) {
			for _, bad := range c.denied {
				if strings.HasPrefix(d, bad) {
					t.Errorf("%s reaches %s", c.who, d)
				}
			}
		}
	}
}

func TestSDKCore_ImportsTheStandardLibraryAlone(t *testing.T) {
	for _, d := range deps(t, "0", "./connectors", "./connectors/data", "./connectors/configdef") {
		first, _, _ := strings.Cut(d, "/")
		if strings.Contains(first, ".") && !strings.HasPrefix(d, module+"connectors") {
			t.Errorf("the SDK's core reaches %s", d)
		}
	}
}

func TestOnlyOne_ImportsEachClient(t *testing.T) {
	for _, c := range []struct {
		what    string
		allowed []string
	}{
		{"github.com/confluentinc/confluent-kafka-go/v2/kafka", []string{"executor/kafkaio"}},
		{"go.etcd.io/", []string{"controlplane/store", "controlplane/election", "integration/"}},
		{"go.uber.org/fx", []string{"controlplane", "executor", "gateway", "cmd/"}},
	} {
		for _, line := range strings.Split(strings.Join(list(t, "1", "list", "-f", `{{.ImportPath}}@{{join .Imports ","}}`, "./..."), "\n"), "\n") {
			who, imports, _ := strings.Cut(line, "@")
			who = strings.TrimPrefix(who, module)
			for i := range strings.SplitSeq(imports, ",") {
				if strings.HasPrefix(i, c.what) && !allowed(who, c.allowed) {
					t.Errorf("%s imports %s: only %v may", who, i, c.allowed)
				}
			}
		}
	}
}

func allowed(who string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(who, p) {
			return true
		}
	}
	return false
}

func TestControlPlaneAndGateway_BuildWithoutCgo(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, "./controlplane/...", "./gateway/...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
