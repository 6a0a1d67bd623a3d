package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGrpcurl_WithoutAProtoFile lists, describes and calls the control API with the pinned grpcurl.
func TestGrpcurl_WithoutAProtoFile(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "grpcurl")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", tool, "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	build.Dir = "../../tools"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := newCluster(t, 1, 1)
	c.create("a", map[string]string{"connector.class": "NullSink", "topics": "t", "tasks.max": "1"})
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"list"}, []string{"sluice.v1.ConnectorService", "sluice.v1.PluginService", "sluice.v1.ClusterService", "sluice.v1.SessionService", "grpc.health.v1.Health"}},
		{[]string{"describe", "sluice.v1.ConnectorService"}, []string{"rpc CreateConnector", "rpc ListConnectors"}},
		{[]string{"sluice.v1.ConnectorService/ListConnectors"}, []string{`"a"`}},
		{[]string{"grpc.health.v1.Health/Check"}, []string{"SERVING"}},
	} {
		args := append([]string{"-plaintext", c.replicas[0].Addr()}, tt.args...)
		out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", tt.args, err, out)
		}
		for _, w := range tt.want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%v: no %q in\n%s", tt.args, w, out)
			}
		}
	}
}
