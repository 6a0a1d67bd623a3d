package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/cmd/executormain"
	"github.com/sluice-project/sluice/cmd/internal/process/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

// file is a worker's file, with more lines. Nobody listens at its addresses.
func file(t *testing.T, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worker.properties")
	text := "bootstrap.servers=127.0.0.1:1\ngroup.id=g\nkey.converter=StringConverter\nvalue.converter=StringConverter\noffset.storage.topic=a\nconfig.storage.topic=b\n" +
		"status.storage.topic=c\nsluice.admin.listen=127.0.0.1:0\nsluice.control.plane=127.0.0.1:1\n" + more
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheProcessIsWhole(t *testing.T) {
	processtest.Whole(t, executormain.Kind(plugins()...), "--config", file(t, ""))
}

func TestBadLuck_APortInUseEndsTheStartWithTheKeyAndTheAddress(t *testing.T) {
	a := processtest.Taken(t)
	processtest.Fails(t, "sluice-executor: sluice.admin.listen: listen tcp "+a+": bind: address already in use", "--config", file(t, ""), "--sluice.admin.listen", a)
}

func TestBadLuck_UnknownKeysAreOneWarningWithoutTheirValues(t *testing.T) {
	out, code := processtest.Run(t, "--config", file(t, "foo.bar=hunter2\nzz=1\n"))
	const want = `level=WARN msg="These worker keys are known neither to Kafka Connect nor to Sluice and are ignored: foo.bar, zz"`
	if code != 0 || strings.Count(out, want) != 1 || strings.Count(out, "foo.bar") != 1 || strings.Contains(out, "hunter2") {
		t.Errorf("code %d: %s", code, out)
	}
}

func TestBadLuck_WhatIsWrongIsALineEach(t *testing.T) {
	processtest.Fails(t, "sluice-executor: invalid configuration: Invalid value loud for configuration sluice.log.level: String must be one of (case insensitive): ERROR, INFO, DEBUG, WARN\n"+
		"worker config: Invalid value 0 for configuration offset.flush.interval.ms: Value must be at least 1\n"+
		"worker config: sluice.pol: Sluice has no such key; the nearest is sluice.pool",
		"--config", file(t, "sluice.log.level=loud\noffset.flush.interval.ms=0\nsluice.pol=heavy\n"))
	processtest.Fails(t, "sluice-executor: sluice.tls.cert.file, sluice.tls.key.file and sluice.tls.ca.file: all three are needed for TLS between processes, or none",
		"--config", file(t, "sluice.tls.ca.file=/no/ca.pem\n"))
}
