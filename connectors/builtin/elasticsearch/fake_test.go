package elasticsearch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fake is a server with the answers that an OpenSearch 2.19 gave to the same requests.
type fake struct {
	url string

	mu       sync.Mutex
	docs     map[string]doc // by index/id
	mappings map[string]string
	streams  map[string]bool
	numeric  map[string]bool // fields that take numbers only
	bulks    int
	most     int // operations of a bulk
	abreast  int
	highest  int // of abreast
	made     int // ids
	// answer answers instead, where it returns true; item is what one operation gets instead, 0 for nothing.
	answer func(w http.ResponseWriter, r *http.Request) bool
	item   func(op map[string]any, name string) (status int, kind, reason string)
}

type doc struct {
	source  string
	version int64
	writes  int
}

func newFake(tb testing.TB) *fake {
	tb.Helper()
	f := &fake{docs: map[string]doc{}, mappings: map[string]string{}, streams: map[string]bool{}, numeric: map[string]bool{}}
	server := httptest.NewServer(f)
	tb.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// with changes it.
func (f *fake) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// sources are all documents by index/id.
func (f *fake) sources() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]string{}
	for k, d := range f.docs {
		if d.source != "" {
			out[k] = d.source
		}
	}
	return out
}

func failed(w http.ResponseWriter, status int, kind, reason string) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":{"root_cause":[],"type":%q,"reason":%q},"status":%d}`, kind, reason, status)
	return true
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			failed(w, 400, "gzip", err.Error())
			return
		}
		body = z
	}
	b, _ := io.ReadAll(body)
	if r.URL.Path == "/_bulk" {
		f.mu.Lock()
		f.abreast++
		f.highest = max(f.highest, f.abreast)
		f.mu.Unlock()
		f.bulk(w, b)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/_mapping")
	_, there := f.mappings[name]
	switch {
	case name == "":
		_, _ = io.WriteString(w, `{"version":{"number":"2.19.1"}}`)
	case r.Method == http.MethodHead && !there:
		w.WriteHeader(404)
	case r.Method == http.MethodHead:
	case strings.HasPrefix(name, "_index_template/"):
		f.mappings[name] = string(b)
	case strings.HasPrefix(name, "_data_stream/"):
		name = strings.TrimPrefix(name, "_data_stream/")
		if !strings.HasPrefix(name, "logs-") {
			failed(w, 400, "illegal_argument_exception", "no matching index template found for data stream ["+name+"]")
			return
		}
		f.mappings[name], f.streams[name] = "", true
	case strings.HasSuffix(r.URL.Path, "/_mapping") && r.Method == http.MethodGet:
		m := f.mappings[name]
		if m == "" {
			m = "{}"
		}
		_, _ = fmt.Fprintf(w, `{%q:{"mappings":%s}}`, name, m)
	case strings.HasSuffix(r.URL.Path, "/_mapping"):
		f.mappings[name] = string(b)
	case there:
		failed(w, 400, "resource_already_exists_exception", "index ["+name+"] already exists")
	default:
		f.mappings[name] = ""
	}
}

func (f *fake) bulk(w http.ResponseWriter, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.abreast--
	f.bulks++
	scan := bufio.NewScanner(bytes.NewReader(body))
	scan.Buffer(nil, 64<<20)
	var items []string
	bad := false
	for scan.Scan() {
		var action map[string]map[string]any
		d := json.NewDecoder(strings.NewReader(scan.Text()))
		d.UseNumber()
		if err := d.Decode(&action); err != nil {
			failed(w, 400, "x_content_parse_exception", err.Error())
			return
		}
		for name, op := range action {
			source := ""
			if name != "delete" {
				scan.Scan()
				source = scan.Text()
			}
			status, kind, reason := 0, "", ""
			if f.item != nil {
				status, kind, reason = f.item(op, name)
			}
			if status == 0 {
				status, kind, reason = f.apply(name, op, source)
			}
			if bad = bad || kind != ""; kind != "" {
				items = append(items, fmt.Sprintf(`{%q:{"status":%d,"error":{"type":%q,"reason":%q}}}`, name, status, kind, reason))
			} else {
				items = append(items, fmt.Sprintf(`{%q:{"status":%d}}`, name, status))
			}
		}
	}
	f.most = max(f.most, len(items))
	_, _ = fmt.Fprintf(w, `{"errors":%t,"items":[%s]}`, bad, strings.Join(items, ","))
}

func (f *fake) apply(name string, op map[string]any, source string) (status int, kind, reason string) {
	index, _ := op["_index"].(string)
	id, ok := op["_id"].(string)
	if !ok {
		f.made++
		id = fmt.Sprint("made-", f.made)
	}
	key := index + "/" + id
	old, there := f.docs[key]
	version := old.version + 1
	if n, ok := op["version"].(json.Number); ok {
		if version, _ = n.Int64(); there && version <= old.version {
			return 409, "version_conflict_engine_exception", "[" + id + "]: version conflict"
		}
	}
	next := doc{source, version, old.writes + 1}
	switch name {
	case "delete":
		f.docs[key] = doc{"", version, old.writes + 1}
		if old.source == "" {
			return 404, "", ""
		}
		return 200, "", ""
	case "create":
		if there {
			return 409, "version_conflict_engine_exception", "[" + id + "]: version conflict, document already exists"
		}
	case "update":
		var u struct {
			Doc map[string]json.RawMessage `json:"doc"`
		}
		if json.Unmarshal([]byte(source), &u) != nil {
			return 400, "mapper_parsing_exception", "no object"
		}
		merged := map[string]json.RawMessage{}
		_ = json.Unmarshal([]byte(old.source), &merged)
		maps.Copy(merged, u.Doc)
		b, _ := json.Marshal(merged)
		next.source = string(b)
	}
	var fields map[string]any
	if json.Unmarshal([]byte(next.source), &fields) != nil {
		return 400, "mapper_parsing_exception", "failed to parse"
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, text := fields[name].(string); text && f.numeric[name] {
			return 400, "mapper_parsing_exception", "failed to parse field [" + name + "] of type [long]"
		}
	}
	f.docs[key] = next
	return 201, "", ""
}

// config is one for the fake, with what is to be added.
func (f *fake) config(extra map[string]string) map[string]string {
	out := map[string]string{"name": "es", urlKey: f.url, ignoreKeyKey: "true", ignoreSchemaKey: "true", backoffKey: "1", retriesKey: "3"}
	maps.Copy(out, extra)
	return out
}
