package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-project/sluice/cmd/internal/process/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

// with are flags after those that let a replica listen anywhere.
func with(more ...string) []string {
	return append([]string{"--sluice.grpc.listen", "127.0.0.1:0", "--sluice.admin.listen", "127.0.0.1:0"}, more...)
}

func TestTheProcessIsWhole(t *testing.T) {
	processtest.Whole(t, kind(), with("--sluice.data.dir", t.TempDir())...)
}

func TestBadLuck_APortInUseEndsTheStartWithTheKeyAndTheAddress(t *testing.T) {
	a := processtest.Taken(t)
	processtest.Fails(t, "sluice-controlplane: sluice.grpc.listen: listen tcp "+a+": bind: address already in use", with("--sluice.data.dir", t.TempDir(), "--sluice.grpc.listen", a)...)
	processtest.Fails(t, "sluice-controlplane: sluice.admin.listen: listen tcp "+a+": bind: address already in use", with("--sluice.data.dir", t.TempDir(), "--sluice.admin.listen", a)...)
}

func TestBadLuck_WhatIsWrongIsALineEach(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const etcd = "http://127.0.0.1:1"
	for want, args := range map[string][]string{
		"sluice.etcd.endpoints: the members of etcd are needed; or sluice.data.dir, for a single replica with a member of its own":                   nil,
		"sluice.etcd.endpoints and sluice.data.dir: give one of them: etcd's members, or the directory of a member of this replica's own":            {"--sluice.etcd.endpoints", etcd, "--sluice.data.dir", t.TempDir()},
		"sluice.data.dir: mkdir " + file + ": not a directory":                                                                                       {"--sluice.data.dir", file + "/x"},
		"sluice.etcd.tls.ca.file: open /no/ca.pem: no such file or directory":                                                                        {"--sluice.etcd.endpoints", etcd, "--sluice.etcd.tls.ca.file", "/no/ca.pem"},
		"sluice.etcd.tls.ca.file: " + file + " holds no certificate in PEM form":                                                                     {"--sluice.etcd.endpoints", etcd, "--sluice.etcd.tls.ca.file", file},
		"sluice.etcd.tls.cert.file and sluice.etcd.tls.key.file: one without the other is of no use":                                                 {"--sluice.etcd.endpoints", etcd, "--sluice.etcd.tls.cert.file", file},
		"sluice.etcd.tls.cert.file: " + file + " with sluice.etcd.tls.key.file: " + file + ": tls: failed to find any PEM data in certificate input": {"--sluice.etcd.endpoints", etcd, "--sluice.etcd.tls.cert.file", file, "--sluice.etcd.tls.key.file", file},
		"invalid configuration: Invalid value a/b for configuration sluice.replica.id: It must have neither blanks nor slashes (from --sluice.replica.id)\nInvalid value 1500 for configuration sluice.session.ttl.ms: It must be whole seconds in milliseconds, at least 1000 (from --sluice.session.ttl.ms)": {"--sluice.session.ttl.ms", "1500", "--sluice.replica.id", "a/b"},
	} {
		processtest.Fails(t, "sluice-controlplane: "+want, with(args...)...)
	}
}
