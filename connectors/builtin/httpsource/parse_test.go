package httpsource

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPointer_FindsWhatJacksonFinds(t *testing.T) {
	doc := `{ "a" : [ {"b":1, "b" : 2}, "x" , [true,null]] , "c/d":{"~":"t"}, "" : 3, "e":"q\"}]", "f": 1.50, "g":1e3, "h":"é", "n":-0, "long":1.2345678901234567890123}`
	for text, want := range map[string]string{"/": "", "/a/0/b": "2", "/a/1": "x", "/a/2/0": "true", "/a/2/1": "null", "/c~1d/~0": "t", "/e": `q"}]`, "/f": "1.5", "/g": "1000.0",
		"/h": "é", "/n": "0", "/a/0": "", "/long": "1.2345678901234567890123"} {
		p, err := compile(text)
		if err != nil {
			t.Fatal(err)
		}
		v, ok := p.in([]byte(doc))
		if got := textOf(v); !ok || got != want {
			t.Errorf("%s: %q, %t: want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{"/x", "/a/3", "/a/00", "/a/-", "/a/0/b/c", "/e/0", "/c~1d/x"} {
		p, err := compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := p.in([]byte(doc)); ok {
			t.Errorf("%s is %s, and there is none", text, v)
		}
	}
	if _, err := compile("items"); err == nil {
		t.Error("a pointer without / was taken")
	}
}

func TestValue_IsWrittenAsJacksonWritesIt(t *testing.T) {
	for doc, want := range map[string]string{
		" { \"a\" : [ 1 , 2.50, 1E5, true ] }\n": `{"a":[1,2.5,100000.0,true]}`,
		`{"u":"\u00e9\/\ud83d\ude00\u0001\t"}`:   `{"u":"é/😀\u0001\t"}`,
		`{"q":"\\\"\u2028"}`:                     "{\"q\":\"\\\\\\\"\u2028\"}",
		`{"n":12345678901234567890}`:             `{"n":12345678901234567890}`,
	} {
		if got := string(appendJSON(nil, []byte(doc))); got != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
	}
}

func FuzzValue_KeepsItsMeaning(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\n\"",null,{}]}`, ` [ ] `, `"\u00e9"`, `-0.10`, `{"a":{"b":[[],[{}]]}}`} {
		f.Add([]byte(s))
	}
	whole, _ := compile("/")
	f.Fuzz(func(t *testing.T, doc []byte) {
		if check(request{}, doc) != nil || len(doc) == 0 {
			return
		}
		v, ok := whole.in(doc)
		if !ok {
			t.Fatal("the whole is not there")
		}
		out := appendJSON(nil, v)
		var a, b any
		if err := json.Unmarshal(doc, &a); err != nil {
			return // a number that no double holds
		}
		if err := json.Unmarshal(out, &b); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%s became %s", doc, out)
		}
		if again := appendJSON(nil, out); !bytes.Equal(again, out) {
			t.Fatalf("%s became %s", out, again)
		}
		textOf(v)
	})
}

func TestTemplate_IsFilled(t *testing.T) {
	o := offset{"key": "k1", "timestamp": "2020-01-01T10:20:30.456Z", "zoned": "2020-01-01T01:00:00.000+0100"}
	for text, want := range map[string]string{
		"template":                              "template",
		"a ${offset.key} b":                     "a k1 b",
		"${key}":                                "k1",
		"${ offset.key }$ {x} $x":               "k1$ {x} $x",
		"${offset.timestamp}":                   "2020-01-01T10:20:30.456Z",
		"${offset.timestamp?datetime.iso?long}": "1577874030456",
		"${offset.zoned?datetime.iso?long}":     "1577836800000",
		"${timestamp?datetime.iso?string['yyyy/MM/dd HH:mm']}":                    "2020/01/01 10:20",
		`q=updated>="${offset.timestamp?datetime.iso?string["yyyy-MM-dd'T'HH"]}"`: `q=updated>="2020-01-01T10"`,
	} {
		tpl, err := parseTemplate(text, oldFreeMarker, time.Now())
		if err == nil {
			text, err = tpl.apply(o)
		}
		if err != nil || text != want {
			t.Errorf("%q, want %q: %v", text, want, err)
		}
	}
	if _, err := (template{[]templatePart{{name: "x"}}}).apply(o); err == nil || !strings.Contains(err.Error(), "${offset.x}") {
		t.Error(err)
	}
	tpl, _ := parseTemplate("${offset.key?datetime.iso?long}", freeMarker, time.Now())
	if _, err := tpl.apply(o); err == nil || !strings.Contains(err.Error(), `"k1"`) {
		t.Error(err)
	}
	if tpl, err := parseTemplate("${x} <#if>", noTemplates, time.Now()); err != nil || len(tpl.names()) > 0 {
		t.Error(tpl, err)
	}
}

func TestTemplate_RefusesTheRestOfFreeMarker(t *testing.T) {
	for text, words := range map[string]string{
		"${offset.key!'x'}":                      "${offset.key!'x'} is not supported",
		"${offset['key']}":                       "is not supported",
		"${offset.key?upper_case}":               "is not supported",
		"${offset.t?datetime.iso}":               "is not supported",
		"${offset.t?date.iso?long}":              "is not supported",
		"${offset.t?datetime.iso?string['']}":    "empty pattern",
		"${offset.t?datetime.iso?string['iso']}": "pattern",
		"${offset.a + offset.b}":                 "is not supported",
		"${.now}":                                "is not supported",
		"${offset}":                              "names nothing",
		"${key":                                  "} is missing",
		"<#if x>y</#if>":                         `"<#"`,
		"<@m/>":                                  `"<@"`,
		"#{offset.key}":                          `"#{"`,
		"${env:TOKEN}":                           "is not supported",
	} {
		if _, err := parseTemplate(text, oldFreeMarker, time.Now()); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v: want %s", text, err, words)
		}
	}
	if _, err := parseTemplate("${key}", freeMarker, time.Now()); err == nil {
		t.Error("a name without offset. was taken, which FreeMarkerTemplateFactory does not know")
	}
}

func TestTimestamps_AreReadAsByTheirParsers(t *testing.T) {
	at := func(key, value string) map[string]string { return map[string]string{key: value} }
	cases := []struct {
		config     map[string]string
		text, want string
	}{
		{nil, "1589500805994", "2020-05-15T00:00:05.994Z"},
		{nil, "2020-05-08T07:55:44Z", "2020-05-08T07:55:44Z"},
		{nil, "2020-05-08T07:55:44.099+00", "2020-05-08T07:55:44.099Z"},
		{nil, "2020-05-08T07:55:44.099+0200", "2020-05-08T05:55:44.099Z"},
		{nil, "2020-05-08T07:55:44.123456789+02:00", "2020-05-08T05:55:44.123456789Z"},
		{nil, "yesterday", ""},
		{at(timeParserKey, epochMillis), "2020-05-08T07:55:44Z", ""},
		{at(timeParserKey, formattedTimestamp), "1589500805994", ""},
		{map[string]string{timeParserKey: formattedTimestamp, patternKey: "dd/MM/yyyy HH:mm[:ss]", zoneKey: "Europe/Berlin"}, "08/05/2020 09:55", "2020-05-08T07:55:00Z"},
		{map[string]string{timeParserKey: formattedTimestamp, patternKey: "dd/MM/yyyy HH:mm[:ss]", zoneKey: "+02:00"}, "08/05/2020 09:55:01", "2020-05-08T07:55:01Z"},
		{at(patternKey, "EEE, d MMM uuuu hh:mm:ss a XXX"), "Fri, 8 May 2020 07:55:44 PM Z", "2020-05-08T19:55:44Z"},
		{at(patternKey, "yyyyMMdd'T'HHmmss.SSSZ"), "20200508T075544.120+0100", "2020-05-08T06:55:44.120Z"},
		{map[string]string{timeParserKey: regexTimestamp, regexKey: `/Date\((\d+)\)/`, regexDelegateKey: epochMillis}, "x/Date(1589500805994)/\ny", "2020-05-15T00:00:05.994Z"},
		{map[string]string{timeParserKey: regexTimestamp, regexKey: `at (\S+)`}, "none", ""},
		{map[string]string{timeParserKey: regexTimestamp, regexKey: `at (\S+)`, regexDelegateKey: epochOrDelegate}, "at 5", "1970-01-01T00:00:00.005Z"},
		{map[string]string{delegateKey: regexTimestamp, regexKey: `at (\S+)`}, "at 2020-05-08T07:55:44Z.", ""},
	}
	for _, c := range cases {
		config := map[string]string{topicKey: "t", urlKey: "http://h"}
		for k, v := range c.config {
			config[k] = v
		}
		v, err := def().Parse(config)
		if err != nil {
			t.Fatal(err)
		}
		parse := newTimeParser(v, timeParserKey, func(key, message string) { t.Errorf("%v: %s: %s", c.config, key, message) })
		got := ""
		moment, err := parse(c.text)
		if err == nil {
			got = instant(moment)
		}
		if got != c.want {
			t.Errorf("%v: %q: %q, want %q: %v", c.config, c.text, got, c.want, err)
		}
	}
}

func TestTimestamps_RefusesPatternsThatCannotBeRead(t *testing.T) {
	for _, pattern := range []string{"yyyy-ww", "'open", "[yyyy", "yyyy]", "yyyy SSS", "yyyy'2006'", "yyyy'Jan'", "VV", "yyyy_MM", "HH0"} {
		if layouts, err := goLayouts(pattern); err == nil {
			t.Errorf("%s is read as %q", pattern, layouts)
		}
	}
}

func TestPairs_AreThoseOfCastorm(t *testing.T) {
	h, err := headers(`Name: Value, Accept : a/b\, c/d,X:http://y`)
	if d := cmp.Diff([]pair{{"Name", "Value"}, {"Accept", "a/b, c/d"}, {"X", "http://y"}}, h, cmp.AllowUnexported(pair{})); d != "" || err != nil {
		t.Error(d, err)
	}
	if _, err := headers("Accept=application/json"); err == nil || !strings.Contains(err.Error(), "name:value would be right") {
		t.Error(err)
	}
	p, err := pairs("name=value & name2=a=b", "&", "=")
	if d := cmp.Diff([]pair{{"name", "value"}, {"name2", "a=b"}}, p, cmp.AllowUnexported(pair{})); d != "" || err != nil {
		t.Error(d, err)
	}
	for in, want := range map[string]string{`updated>="2020/01/01 10:20" ORDER`: "updated%3E%3D%222020/01/01%2010:20%22%20ORDER", "a%20b%zz+": "a%20b%25zz+", "é#'": "%C3%A9%23%27"} {
		if got := query("", pair{"jql", in}); got != "jql="+want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	c, err := parseCodes("200..205, 209..207,404")
	for status, want := range map[int]bool{199: false, 200: true, 205: true, 206: false, 208: true, 404: true, 405: false} {
		if c.has(status) != want || err != nil {
			t.Error(status, err)
		}
	}
	if _, err := parseCodes("2xx"); err == nil {
		t.Error("2xx was taken")
	}
}

func TestNextLink_IsFoundAmongOthers(t *testing.T) {
	for in, want := range map[string]string{
		`<https://a/x?page=1>; rel="prev", <https://a/x?page=3>; rel="next"`: "https://a/x?page=3",
		`</x?a=1,2>; title="a, b; rel=next"; rel=next`:                       "/x?a=1,2",
		`<https://a/last>; rel=last`:                                         "",
		`<x>; rel="start NEXT"`:                                              "x",
		``:                                                                   "",
	} {
		if got := nextLink(map[string][]string{"Link": {in}}); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestKey_IsJavasNameUUID(t *testing.T) {
	// UUID.nameUUIDFromBytes("hello".getBytes())
	if got := nameUUID("hello"); got != "5d41402a-bc4b-3a76-b971-9d911017c592" {
		t.Error(got)
	}
}
