//go:build verify

package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kustomizations are the base and every overlay, as paths.
func kustomizations(t *testing.T) []string {
	t.Helper()
	overlays, err := filepath.Glob("../k8s/overlays/*/kustomization.yaml")
	if err != nil || len(overlays) < 2 {
		t.Fatalf("overlays: %v, %v", overlays, err)
	}
	out := []string{"../k8s/base"}
	for _, o := range overlays {
		out = append(out, filepath.Dir(o))
	}
	return out
}

func render(t *testing.T, dir string) string {
	t.Helper()
	out, err := output(t, need(t, "KUSTOMIZE"), "build", dir)
	if err != nil {
		t.Fatalf("kustomize build %s: %v\n%s", dir, err, out)
	}
	return out
}

// validate asks kubernetes-validate about a rendering.
func validate(t *testing.T, text string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rendered.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return output(t, need(t, "KUBERNETES_VALIDATE"), "--strict", file)
}

func TestEveryOverlayIsValidAndFitsTheBinaries(t *testing.T) {
	all := askAll(t)
	for _, dir := range kustomizations(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			text := render(t, dir)
			if out, err := validate(t, text); err != nil {
				t.Errorf("kubernetes-validate: %v\n%s", err, out)
			}
			r, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range check(t, all, r) {
				t.Error(f)
			}
		})
	}
}

func TestTheCheckerRefusesManifestsThatDoNotFit(t *testing.T) {
	all := askAll(t)
	base, small, pools := render(t, "../k8s/base"), render(t, "../k8s/overlays/small"), render(t, "../k8s/overlays/two-pools")
	cases := []struct{ name, text, old, new, says string }{
		{"a flag that is unknown", base, "        - --config=/etc/sluice/worker.properties\n", "        - --config=/etc/sluice/worker.properties\n        - --sluice.no.such=1\n", "--sluice.no.such"},
		{"a flag of another binary", base, "        - --config=/etc/sluice/worker.properties\n", "        - --config=/etc/sluice/worker.properties\n        - --sluice.pool=x\n", "sluice-gateway has no such flag"},
		{"a variable that is unknown", base, "SLUICE_GRPC_ADVERTISE", "SLUICE_GRPC_ADVERTISED", "grpc.advertised"},
		{"a variable of a Kafka client's that is unknown", base, "SLUICE_SASL_JAAS_CONFIG", "SLUICE_SASSL_JAAS_CONFIG", "sassl.jaas.config"},
		{"a key of Sluice's in the file that is unknown", base, "sluice.cluster.id=", "sluice.cluster.idd=", "sluice.cluster.idd"},
		{"a key of Kafka Connect's in the file that is unknown", base, "group.id=", "gruop.id=", "gruop.id"},
		{"a file that is not mounted", base, "/etc/sluice/worker.properties", "/etc/sluice/other.properties", "other.properties"},
		{"a port that nobody listens on", base, "containerPort: 8092", "containerPort: 9092", "port admin 9092"},
		{"a key that moves a port", base, "sluice.log.format=json", "sluice.admin.listen=:9999", "sluice.admin.listen=:9999"},
		{"a probe of another port", base, "            path: /readyz\n            port: admin", "            path: /readyz\n            port: 8083", "readinessProbe: port"},
		{"a probe of a path that is not served", base, "path: /readyz", "path: /healthz", "/healthz"},
		{"a scrape of another port", base, `prometheus.io/port: "8094"`, `prometheus.io/port: "8093"`, "prometheus.io"},
		{"an advertised port that is another's", base, "$(POD_IP):8082", "$(POD_IP):8083", "sluice.grpc.advertise"},
		{"a Service of another port", base, "targetPort: rest", "targetPort: http", "targetPort http"},
		{"a headless Service that translates", base, "  - name: grpc\n    port: 8082", "  - name: grpc\n    port: 80", "headless"},
		{"a control plane that is not headless", base, "clusterIP: None", "type: ClusterIP", "must be headless"},
		{"a control plane that is not there", base, "sluice.control.plane=sluice-controlplane:", "sluice.control.plane=elsewhere:", "elsewhere"},
		{"a grace that is too short", base, "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds 30"},
		{"a stop that takes too long", base, "sluice.stop.timeout.ms=30000", "sluice.stop.timeout.ms=60000", "sluice.stop.timeout.ms 60000"},
		{"a gateway that does not wait", base, "            seconds: 10", "            seconds: 0", "preStop"},
		{"root", base, "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"},
		{"a file system that can be written", base, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"},
		{"variables of Services", base, "enableServiceLinks: false", "enableServiceLinks: true", "enableServiceLinks"},
		{"a budget of nothing", pools, "  selector:\n    matchLabels:\n      app.kubernetes.io/name: sluice-executor\n      sluice.pool: heavy", "  selector:\n    matchLabels:\n      app.kubernetes.io/name: sluice-executor\n      sluice.pool: light", "PodDisruptionBudget"},
		{"two Deployments of one pool", pools, "value: heavy", "value: default", "is also that of"},
		{"an image without a binary", base, "image: sluice-gateway", "image: sluice-gatway", "sluice-gatway"},
		{"two on one directory", small, "type: Recreate", "type: RollingUpdate", "Recreate"},
		{"a directory on no volume", small, "mountPath: /var/lib/sluice", "mountPath: /var/lib/other", "PersistentVolumeClaim"},
		{"etcd and a directory", small, "sluice.cluster.id=sluice", "sluice.etcd.endpoints=http://etcd:2379", "needs one of"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.ReplaceAll(c.text, c.old, c.new)
			if bad == c.text {
				t.Fatalf("the rendering has no %q any more", c.old)
			}
			r, err := parse(bad)
			if err != nil {
				t.Fatal(err)
			}
			faults := strings.Join(check(t, all, r), "\n")
			if !strings.Contains(faults, c.says) {
				t.Errorf("no fault says %q:\n%s", c.says, faults)
			}
		})
	}
}

func TestTheSchemaRefusesAWrongTypeAndAnUnknownField(t *testing.T) {
	base := render(t, "../k8s/base")
	for name, edit := range map[string][2]string{
		"replicas that are no number": {"  replicas: 3\n", "  replicas: \"x\"\n"},
		"a field that is unknown":     {"  replicas: 3\n", "  replicas: 3\n  replicaz: 3\n"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(base, edit[0], edit[1], 1)
			if bad == base {
				t.Fatalf("the rendering has no %q any more", edit[0])
			}
			out, err := validate(t, bad)
			if err == nil || !strings.Contains(out, "sluice-controlplane") {
				t.Errorf("kubernetes-validate does not refuse it: %v\n%s", err, out)
			}
		})
	}
}
