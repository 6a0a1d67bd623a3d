package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/executor/config"
)

// FuzzLoad_AWorkersFileIsRefusedOrUsable: whatever the file says, no secret is shown, and clients can be made of it.
func FuzzLoad_AWorkersFileIsRefusedOrUsable(f *testing.F) {
	f.Add([]byte(minimal), "linger.ms", "5")
	f.Add([]byte(minimal+"listeners=http://:0,https://[::1]:1\nrest.advertised.host.name=h\nsluice.labels=a=b,c=d\nsluice.capacity=7\n"), "acks", "0")
	f.Add([]byte(minimal+"connector.client.config.override.policy=Principal\nsasl.jaas.config=a password=\"hunter2\";\nconfig.providers=f\nconfig.providers.f.class=X\n"), "sasl.jaas.config", "")
	f.Add([]byte("offset.storage.file.filename=f\nkey.converter=K\nvalue.converter=V\nbootstrap.servers=,\n"), "", "")
	f.Fuzz(func(t *testing.T, file []byte, key, value string) {
		const secret = "s3cr3t-0f-the-test"
		file = append(file, "\nssl.keystore.password="+secret+"\n"...)
		w, warnings, err := config.Load(file, nil, nil)
		if err != nil {
			if !errors.Is(err, config.ErrInvalid) {
				t.Fatalf("%q: %v", file, err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("%q: %v", file, err)
			}
			return
		}
		// Only where the line is read as one: the file may end in what goes on.
		if v, _ := w.Get("ssl.keystore.password"); v == secret {
			if shown := fmt.Sprintf("%v %+v %#v %v", w, w, w, warnings); strings.Contains(shown, secret) && strings.Count(string(file), secret) == 1 {
				t.Fatalf("%q: %s", file, shown)
			}
		}
		for _, role := range []config.Role{config.Producer, config.Consumer, config.Admin} {
			c, err := w.Client(role, map[string]string{role.OverridePrefix() + key: value})
			switch {
			case err != nil && (!errors.Is(err, config.ErrOverride) || w.CheckOverride(key) == nil):
				t.Fatal(err)
			case err == nil && key != "" && c[key] != value:
				t.Fatalf("%s: the override %q=%q is lost: %q", role, key, value, c)
			}
		}
		_, _, _, _ = w.Labels(), w.Advertise(), w.ControlPlane(), w.Internal()
		if n := w.OffsetsTopic().Partitions; n == 0 || n < -1 {
			t.Fatalf("%d partitions", n)
		}
		if w.OffsetFlushInterval() <= 0 || w.TaskShutdownTimeout() < 0 || w.PluginCallTimeout() <= 0 {
			t.Fatal("a time that is none")
		}
	})
}
