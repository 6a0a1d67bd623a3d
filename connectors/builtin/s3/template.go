package s3

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
)

// template is Aiven's file.name.template: texts and variables in turn.
type template struct {
	parts []templatePart
	timed bool // it has a timestamp
}

type templatePart struct {
	text     string // where variable is empty
	variable string
	padded   bool
	layout   string // of a timestamp, as Go's time has it
}

var variablePattern = regexp.MustCompile(`\{\{\s*(\w+)\s*(?::\s*(\w+)\s*=\s*(\w+)\s*)?\}\}`)

// units are those of {{timestamp:unit=}}.
var units = map[string]string{"yyyy": "2006", "YYYY": "2006", "MM": "01", "dd": "02", "HH": "15"}

func newTemplate(text string) (*template, error) {
	t := &template{}
	seen := map[string]bool{}
	rest := 0
	for _, m := range variablePattern.FindAllStringSubmatchIndex(text, -1) {
		t.parts = append(t.parts, templatePart{text: text[rest:m[0]]})
		rest = m[1]
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return text[m[2*i]:m[2*i+1]]
		}
		p := templatePart{variable: group(1)}
		key, value := group(2), group(3)
		switch p.variable {
		case "topic":
			if key != "" {
				return nil, fmt.Errorf("{{topic}} takes no parameter")
			}
		case "partition", "start_offset":
			if key != "" && (key != "padding" || value != "true" && value != "false") {
				return nil, fmt.Errorf("{{%s}} takes padding=true or padding=false", p.variable)
			}
			p.padded = value == "true"
		case "timestamp":
			if p.layout = units[value]; key != "unit" || p.layout == "" {
				return nil, fmt.Errorf("{{timestamp}} takes unit=yyyy, MM, dd or HH")
			}
			t.timed = true
		case "key":
			return nil, fmt.Errorf("{{key}} is not supported: files of single keys would lose the order and most of the records. There are topic, partition, start_offset and timestamp")
		default:
			return nil, fmt.Errorf("no variable is called %q. There are topic, partition, start_offset and timestamp", p.variable)
		}
		seen[p.variable] = true
		t.parts = append(t.parts, p)
	}
	t.parts = append(t.parts, templatePart{text: text[rest:]})
	if strings.Contains(variablePattern.ReplaceAllString(text, ""), "{{") {
		return nil, fmt.Errorf("a {{ has no }}, or what is between is no variable")
	}
	for _, need := range []string{"topic", "partition", "start_offset"} {
		if !seen[need] {
			return nil, fmt.Errorf("{{%s}} has to be in it, else objects would overwrite one another", need)
		}
	}
	return t, nil
}

// name is an object's, by a directory that times made: their texts, between commas.
func (t *template) name(tp connectors.TopicPartition, times string, start int64) string {
	var out strings.Builder
	at := strings.Split(times, ",")
	for _, p := range t.parts {
		switch p.variable {
		case "":
			out.WriteString(p.text)
		case "topic":
			out.WriteString(tp.Topic)
		case "partition":
			fmt.Fprintf(&out, "%0*d", width(p.padded, 10), tp.Partition)
		case "start_offset":
			fmt.Fprintf(&out, "%0*d", width(p.padded, 20), start)
		case "timestamp":
			out.WriteString(at[0])
			at = at[1:]
		}
	}
	return out.String()
}

func width(padded bool, n int) int {
	if padded {
		return n
	}
	return 1
}

// times is the directory of a time: what its timestamps are, between commas.
func (t *template) times(zone *time.Location) partitioner {
	return func(_ *connectors.SinkRecord, at int64) (string, error) {
		var out []string
		for _, p := range t.parts {
			if p.variable == "timestamp" {
				out = append(out, time.UnixMilli(at).In(zone).Format(p.layout))
			}
		}
		return strings.Join(out, ","), nil
	}
}
