package main

import (
	"testing"

	"github.com/sluice-project/sluice/cmd/internal/process/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

func TestTheProcessIsWhole(t *testing.T) {
	processtest.Whole(t, kind(), "--listeners", "http://127.0.0.1:0", "--sluice.admin.listen", "127.0.0.1:0", "--sluice.control.plane", "127.0.0.1:1")
}

func TestBadLuck_APortInUseEndsTheStartWithTheKeyAndTheAddress(t *testing.T) {
	a := processtest.Taken(t)
	processtest.Fails(t, "sluice-gateway: listeners: listen tcp "+a+": bind: address already in use", "--listeners", "http://"+a, "--sluice.admin.listen", "127.0.0.1:0")
	processtest.Fails(t, "sluice-gateway: sluice.admin.listen: listen tcp "+a+": bind: address already in use", "--listeners", "http://127.0.0.1:0", "--sluice.admin.listen", a)
}

func TestBadLuck_WhatIsWrongIsALineEach(t *testing.T) {
	processtest.Fails(t, "sluice-gateway: invalid configuration: Invalid value ftp://:8083 for configuration listeners: Listener protocol must be either \"http\" or \"https\". (from --listeners)\n"+
		"Invalid value loud for configuration sluice.log.level: String must be one of (case insensitive): ERROR, INFO, DEBUG, WARN (from --sluice.log.level)",
		"--listeners", "ftp://:8083", "--sluice.log.level", "loud")
	processtest.Fails(t, "sluice-gateway: listeners: https: ssl.keystore.location: a certificate is needed: name a keystore, or give ssl.keystore.key and ssl.keystore.certificate.chain",
		"--listeners", "https://127.0.0.1:0")
	processtest.Fails(t, "sluice-gateway: unknown flag: --sluice.log.levl", "--sluice.log.levl", "debug")
	processtest.Fails(t, "sluice-gateway: sluice.tls.ca.file: open /no/ca.pem: no such file or directory", "--sluice.tls.cert.file", "/no/a.pem", "--sluice.tls.key.file", "/no/a.key", "--sluice.tls.ca.file", "/no/ca.pem")
}
