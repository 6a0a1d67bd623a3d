//go:build verify

package verify

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

var (
	built    = regexp.MustCompile(`-o (\S+) \./(cmd/\S+)`)
	copied   = regexp.MustCompile(`(?m)^COPY --from=build (\S+) (\S+)$`)
	stamp    = regexp.MustCompile(`-X github\.com/sluice-project/sluice/(\S+)\.(\w+)=`)
	goImage  = regexp.MustCompile(`golang:(\d+\.\d+)`)
	goInMod  = regexp.MustCompile(`(?m)^go (\d+\.\d+)`)
	instruct = func(name string) *regexp.Regexp { return regexp.MustCompile(`(?m)^` + name + ` (.*)$`) }
)

func one(re *regexp.Regexp, text string) string {
	m := re.FindAllStringSubmatch(text, -1)
	if len(m) == 0 {
		return ""
	}
	return m[len(m)-1][1]
}

// checkDockerfile says what is wrong with the Dockerfile of a binary.
func checkDockerfile(b binary, text string) (faults []string) {
	want := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	var entry []string
	if err := json.Unmarshal([]byte(one(instruct("ENTRYPOINT"), text)), &entry); err != nil || len(entry) != 1 || path.Base(entry[0]) != b.name {
		return append(faults, fmt.Sprintf("ENTRYPOINT %s is not one %s", one(instruct("ENTRYPOINT"), text), b.name))
	}
	m := built.FindStringSubmatch(text)
	if m == nil {
		return append(faults, "it builds nothing under ./cmd")
	}
	info, err := os.Stat(filepath.Join(root, m[2]))
	want(err == nil && info.IsDir() && path.Base(m[2]) == b.name, "it builds ./%s: there is no such directory, or it is not %s", m[2], b.name)
	in := false
	for _, c := range copied.FindAllStringSubmatch(text, -1) {
		in = in || c[1] == m[1] && c[2] == entry[0]
	}
	want(in, "%s, which it builds, does not become the ENTRYPOINT %s", m[1], entry[0])
	want(one(instruct("USER"), text) == "65532:65532", "USER is %q", one(instruct("USER"), text))
	cgo := map[bool]string{true: "1", false: "0"}[b.name == workerName]
	want(slices.Contains(strings.Fields(one(instruct("ENV"), text)), "CGO_ENABLED="+cgo), "%s is built with CGO_ENABLED=%s", b.name, cgo)
	var ports []int
	for p := range strings.FieldsSeq(one(instruct("EXPOSE"), text)) {
		n, _ := strconv.Atoi(p)
		ports = append(ports, n)
	}
	listens := slices.Sorted(maps.Values(settings{binary: b}.listens()))
	want(slices.Equal(ports, listens), "EXPOSE %v: it listens on %v", ports, listens)
	for _, x := range stamp.FindAllStringSubmatch(text, -1) {
		source := ""
		files, _ := filepath.Glob(filepath.Join(root, x[1], "*.go"))
		for _, f := range files {
			if b, err := os.ReadFile(f); err == nil {
				source += string(b)
			}
		}
		want(regexp.MustCompile(`(?m)^(var)?\s*`+x[2]+`\b`).MatchString(source), "-X %s.%s: there is no such variable", x[1], x[2])
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	want(err == nil && one(goImage, text) == one(goInMod, string(mod)), "its Go is %s, go.mod's is %s", one(goImage, text), one(goInMod, string(mod)))
	return faults
}

func TestDockerfilesBuildTheBinariesThatTheManifestsRun(t *testing.T) {
	all := askAll(t)
	files, err := filepath.Glob("../docker/*.Dockerfile")
	if err != nil || len(files) != len(all) {
		t.Fatalf("deploy/docker has %v (%v): one for each binary is wanted", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b := all["sluice-"+strings.TrimSuffix(filepath.Base(f), ".Dockerfile")]
		for _, fault := range checkDockerfile(b, string(text)) {
			t.Errorf("%s: %s", f, fault)
		}
		if bad := checkDockerfile(b, strings.ReplaceAll(string(text), b.name, b.name+"x")); len(bad) == 0 {
			t.Errorf("%s: it may name a binary that is not there, and nobody sees it", f)
		}
		if bad := checkDockerfile(b, strings.ReplaceAll(string(text), "65532", "0")); len(bad) != 1 {
			t.Errorf("%s: as root it has the faults %v", f, bad)
		}
	}
}
