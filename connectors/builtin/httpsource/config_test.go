package httpsource

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/connectors"
)

// faults are what validation says, by key.
func faults(config map[string]string) map[string]string {
	out := map[string]string{}
	for _, v := range def().Validate(config) {
		if len(v.Errors) > 0 {
			out[v.Name] = strings.Join(v.Errors, "; ")
		}
	}
	Plugin().NewSource().(connectors.Checker).Check(config, func(key, message string) { out[key] += message })
	return out
}

func TestConfig_RefusesWhatIsNotSupported(t *testing.T) {
	pages := func(mode string, more ...string) []string { return append([]string{pagesKey, mode}, more...) }
	for _, c := range []struct {
		key, words string
		config     []string
	}{
		{urlKey, "no URL of http or https", []string{urlKey, "ftp://host/"}},
		{urlKey, "http.auth.user", []string{urlKey, "http://u:p@host/"}},
		{urlKey, "${offset.id}", []string{urlKey, "http://host/${offset.id}"}},
		{paramsKey, "is not supported", []string{paramsKey, "a=${offset.key!1}"}},
		{paramsKey, "is no pair", []string{paramsKey, "a"}},
		{headersKey, "is no pair", []string{headersKey, "Accept=application/json"}},
		{headersKey, "is no header", []string{headersKey, "a b: c"}},
		{bodyKey, "POST", []string{bodyKey, "{}"}},
		{methodKey, "must be one of", []string{methodKey, "HEAD"}},
		{topicKey, "no topic", []string{topicKey, "a b"}},
		{initialKey, "is no pair", []string{initialKey, "x"}},
		{initialKey, "2020-05-08T07:55:44Z would be right", []string{initialKey, "timestamp=yesterday"}},
		{listKey, "begins with /", []string{listKey, "items"}},
		{offsetKey, "begins with /", []string{offsetKey, "key=id"}},
		{keyPointerKey, "begins with /", []string{keyPointerKey, "/a,b"}},
		{processKey, "200..299", []string{processKey, "2xx"}},
		{timeParserKey, "must be one of", []string{timeParserKey, timestamps + "NattyTimestampParser"}},
		{patternKey, "ww in it is not supported", []string{patternKey, "yyyy-ww"}},
		{zoneKey, "Europe/Berlin", []string{zoneKey, "Nowhere"}},
		{regexKey, "no group", []string{timeParserKey, regexTimestamp}},
		{regexKey, "Unclosed", []string{timeParserKey, regexTimestamp, regexKey, "(a"}},
		{regexDelegateKey, "delegate to each other", []string{timeParserKey, regexTimestamp, delegateKey, regexTimestamp, regexDelegateKey, epochOrDelegate, regexKey, "(.)"}},
		{delegateKey, "delegate to each other", []string{delegateKey, regexTimestamp, regexDelegateKey, epochOrDelegate, regexKey, "(.)"}},
		{policyKey, "must be one of", []string{policyKey, "org.example.Policy"}},
		{clientKey, "must be one of", []string{clientKey, "org.example.Client"}},
		{nextKey, "which points to the token", pages(tokenPages)},
		{nextKey, "not with offset", pages(offsetPages, nextKey, "/next")},
		{orderKey, "older pages", pages(linkPages, orderKey, "desc")},
		{conditionalKey, "says nothing of the others", pages(linkPages, conditionalKey, "true")},
		{cursorKey, "either", pages(linkPages, cursorKey, "c=/next", paramsKey, "c=${offset.c}")},
		{cursorKey, "no part of the request", []string{cursorKey, "c=/next"}},
		{cursorKey, "another name", []string{cursorKey, "key=/next", paramsKey, "c=${offset.key}"}},
		{offsetParamKey, "must be given", pages(offsetPages, offsetParamKey, "")},
		{bearerKey, "must be given", []string{authTypeKey, "Bearer"}},
		{tokenURLKey, "must be given", []string{authTypeKey, "oauth2", clientIDKey, "i", clientSecretKey, "s"}},
		{clientSecretKey, "must be given", []string{authTypeKey, "oauth2", clientIDKey, "i", tokenURLKey, "http://h"}},
		{tokenURLKey, "a URL", []string{authTypeKey, "oauth2", clientIDKey, "i", clientSecretKey, "s", tokenURLKey, "h/t"}},
		{keystoreKey, "no such file", []string{keystoreKey, "/nowhere"}},
		{truststoreKey, "no such file", []string{truststoreKey, "/nowhere"}},
		{cronKey, "expected exactly 5 fields", []string{cronKey, "never"}},
		{cronKey, "no such day", []string{cronKey, "0 0 30 2 *"}},
		{cronKey, cronZoneKey, []string{cronKey, "CRON_TZ=UTC 0 0 * * *"}},
		{cronZoneKey, "no zone", []string{cronKey, "0 0 * * *", cronZoneKey, "Nowhere"}},
		{cronKey, "exclusive", []string{cronKey, "0 0 * * *", intervalKey, "1"}},
	} {
		config := map[string]string{topicKey: "t", urlKey: "http://host/"}
		for i := 0; i < len(c.config); i += 2 {
			config[c.config[i]] = c.config[i+1]
		}
		if got := faults(config); !strings.Contains(got[c.key], c.words) || !strings.Contains(got[c.key], c.key) {
			t.Errorf("%v: %s: %q, want %q (of %v)", c.config, c.key, got[c.key], c.words, got)
		}
		if _, err := parse(config, time.Now()); err == nil {
			t.Errorf("%v: a task takes it", c.config)
		}
	}
}

func TestConfig_SaysNoSecrets(t *testing.T) {
	config := map[string]string{topicKey: "t", urlKey: "http://u:hush@host/", headersKey: "Authorization Bearer hush", paramsKey: "key=hush${x!}", authPasswordKey: "hush"}
	for key, fault := range faults(config) {
		if strings.Contains(fault, "hush") {
			t.Errorf("%s: %s", key, fault)
		}
	}
}

// The configs of castorm's README and examples, but for what the README itself has wrong.
func TestConfig_TakesThoseOfCastorm(t *testing.T) {
	for name, more := range map[string]map[string]string{
		"quick start": {initialKey: "timestamp=2020-05-08T07:55:44Z", headersKey: "Accept: application/json", paramsKey: "updatedAtFrom=${timestamp}", authTypeKey: "Basic", authUserKey: "u",
			authPasswordKey: "p", listKey: "/items", offsetKey: "key=/id, timestamp=/updatedAt", intervalKey: "30000"},
		"jira": {initialKey: "timestamp=2020-05-08T07:55:44Z", paramsKey: `jql=updated>="${offset.timestamp?datetime.iso?string['yyyy/MM/dd HH:mm']}" ORDER BY updated ASC&maxResults=100`,
			listKey: "/issues", offsetKey: "key=/id, timestamp=/fields/updated", catchUpKey: "1000"},
		"elasticsearch": {methodKey: "POST", headersKey: "Content-Type: application/json", bodyKey: `{"size": 100, "sort": [{"@timestamp": "asc"}], "search_after": [${offset.timestamp?datetime.iso?long}]}`,
			initialKey: "timestamp=2020-01-01T00:00:00Z", listKey: "/hits/hits", recordKey: "/_source", offsetKey: "key=/_id, timestamp=/sort/0"},
		"classes": {timerKey: fixedTimer, clientKey: okHTTPClient, factoryKey: requestFactory, templateKey: freeMarker, authKey: basicAuth, parserKey: recordParser, mapperKey: stringMapper,
			filterKey: timestampFilter, delegateKey: epochMillis, sorterKey: sorterClass, policyKey: statusPolicy, policyParserKey: recordParser, recordParserKey: jacksonParser},
	} {
		config := map[string]string{topicKey: "topic", urlKey: "https://your-host-here/rest/api/2/search"}
		maps.Copy(config, more)
		if got := faults(config); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestExamples_AreValid(t *testing.T) {
	files, err := filepath.Glob("../../../examples/http/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Name   string            `json:"name"`
			Config map[string]string `json:"config"`
		}
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		p := Plugin()
		if c := e.Config["connector.class"]; c != p.Class && !slices.Contains(p.Aliases, c) {
			t.Errorf("%s: %s is not this connector", f, c)
		}
		if got := faults(e.Config); len(got) > 0 {
			t.Errorf("%s: %v", f, got)
		}
	}
}
