package kafkaio

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// How to follow confluent-kafka-go where it changes.
const (
	clientChanged = `confluent-kafka-go lays out its clients otherwise: %s.
Look in its kafka/handle.go, producer.go and consumer.go for what it is now, change rkOf, destroyFenced and pollerStop in
executor/kafkaio/native.go, and then run: go test -race ./executor/... && make asan integration`
	headerChanged = `librdkafka's header and executor/kafkaio/librdkafka.h differ:
%s
Correct librdkafka.h to what the header says (and native.go where a call changed its meaning: read librdkafka's CHANGELOG from the
version before). Where KNOWN_VERSION differs, compare msg_t in native.go with rd_kafka_msg_t in src/rdkafka_msg.h of the new version
first: until then all is right, but slower. And then run: go test -race ./executor/... && make asan integration`
)

func TestNative_FindsTheHandle(t *testing.T) {
	for _, client := range []any{kafka.Producer{}, kafka.Consumer{}} {
		c := reflect.TypeOf(client)
		h, ok := c.FieldByName("handle")
		if !ok || h.Type.Kind() != reflect.Struct {
			t.Errorf(clientChanged, c.String()+" has no struct named handle")
			continue
		}
		for name, want := range map[string]string{"rk": "*kafka._Ctype_struct_rd_kafka_s", "rkq": "*kafka._Ctype_struct_rd_kafka_queue_s"} {
			if f, ok := h.Type.FieldByName(name); !ok || f.Type.String() != want {
				t.Errorf(clientChanged, c.String()+".handle has no "+name+" of type "+want)
			}
		}
	}
	if f, ok := reflect.TypeFor[kafka.Producer]().FieldByName("pollerTermChan"); !ok || f.Type != reflect.TypeFor[chan bool]() {
		t.Errorf(clientChanged, "kafka.Producer has no pollerTermChan of type chan bool")
	}
}

func TestNative_DeclaresWhatLibrdkafkaHas(t *testing.T) {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/confluentinc/confluent-kafka-go/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	vendor := filepath.Join(strings.TrimSpace(string(out)), "kafka", "librdkafka_vendor")
	compare := func(ours string) (string, error) {
		words, err := exec.CommandContext(t.Context(), cc, "-std=gnu11", "-Wall", "-Wno-enum-int-mismatch", "-Wno-unknown-warning-option", "-Werror", "-fsyntax-only", //nolint:gosec // the compiler that built this
			"-I"+vendor, "-I"+ours, "testdata/native/guard.c").CombinedOutput()
		return string(words), err
	}
	if words, err := compare("."); err != nil {
		t.Fatalf(headerChanged, words)
	}
	// What it would say of a header that differs.
	header, err := os.ReadFile("librdkafka.h")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a parameter":  {"rd_kafka_queue_poll(rd_kafka_queue_t *q, int", "rd_kafka_queue_poll(rd_kafka_queue_t *q, long"},
		"a result":     {"WEAK size_t rd_kafka_header_cnt", "WEAK int rd_kafka_header_cnt"},
		"a field":      {"void *payload; size_t len;", "size_t len; void *payload;"},
		"a constant":   {"QUEUE_FULL = -184", "QUEUE_FULL = -185"},
		"an operation": {"OP_DELETE_OFFSETS = 8", "OP_DELETE_OFFSETS = 7"},
	} {
		dir := t.TempDir()
		other := strings.Replace(string(header), change[0], change[1], 1)
		if other == string(header) {
			t.Errorf("%s: librdkafka.h has no %q", name, change[0])
		}
		if err := os.WriteFile(filepath.Join(dir, "librdkafka.h"), []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := compare(dir); err == nil {
			t.Errorf("%s: a difference is not seen", name)
		}
	}
}

func TestNative_ItsCIsSmall(t *testing.T) {
	lines := 0
	for _, name := range []string{"librdkafka.h", "native.go", "nativegroups.go"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if strings.HasSuffix(name, ".go") {
			_, text, _ = strings.Cut(text, "/*\n")
			text, _, _ = strings.Cut(text, "*/")
		}
		lines += strings.Count(text, "\n")
	}
	if lines >= 200 {
		t.Errorf("%d lines of C: what costs nothing per record belongs into Go", lines)
	} else {
		t.Logf("%d lines of C", lines)
	}
}
