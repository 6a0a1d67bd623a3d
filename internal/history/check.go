package history

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/internal/lease"
)

// Event is one line, read back.
type Event struct {
	Event      string   `json:"event"`
	Executor   string   `json:"executor"`
	Process    string   `json:"-"` // which log it is from: two lives of an executor are two processes
	Unit       string   `json:"unit"`
	Epoch      string   `json:"epoch"`
	Class      string   `json:"class"`
	Boot       int64    `json:"boot_ns"`
	Begin      int64    `json:"begin_ns"`
	End        int64    `json:"end_ns"`
	Partitions []string `json:"partitions"`

	epoch lease.Epoch
}

// Parse reads a log of JSON lines and keeps the history's.
func Parse(r io.Reader, process string) ([]Event, error) {
	var out []Event
	s := bufio.NewScanner(r)
	s.Buffer(nil, 4<<20)
	for s.Scan() {
		if !strings.Contains(s.Text(), `"msg":"`+Message+`"`) {
			continue
		}
		var e Event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			continue // the last line of a process that was killed
		}
		e.Process = process
		if e.Event == Polled {
			// A call that began under the right may return at any time, where the process was stopped say; what counts
			// then is whether anything comes of it.
			e.End = e.Begin
		}
		if e.Begin == 0 {
			e.Begin, e.End = e.Boot, e.Boot
		}
		era, rev, _ := strings.Cut(e.Epoch, ".")
		e.epoch.Era, _ = strconv.ParseUint(era, 10, 64)     // a line without a unit has none
		e.epoch.Revision, _ = strconv.ParseInt(rev, 10, 64) //
		out = append(out, e)
	}
	return out, s.Err()
}

// span is the time in which a holder acted.
type span struct {
	holder     string
	epoch      lease.Epoch
	begin, end int64
	first      Event
	last       Event
}

func (s *span) add(e Event) {
	if s.begin == 0 || e.Begin < s.begin {
		s.begin, s.first = e.Begin, e
	}
	if e.End > s.end {
		s.end, s.last = e.End, e
	}
}

// Check reads the histories of all processes of one machine and returns what breaks promise 2, for people; none means
// that it held.
func Check(events []Event) []string {
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.End, b.End) })
	var out []string
	units, partitions := map[string]map[string]*span{}, map[string]map[string]*span{}
	add := func(m map[string]map[string]*span, of string, e Event) {
		holder := e.Unit + " " + e.Epoch + " at " + e.Process
		if m[of] == nil {
			m[of] = map[string]*span{}
		}
		if m[of][holder] == nil {
			m[of][holder] = &span{holder: holder, epoch: e.epoch}
		}
		m[of][holder].add(e)
	}
	fences, released, over := map[string]Event{}, map[string]Event{}, map[string]int64{}
	for _, e := range events {
		switch e.Event {
		case RightOver:
			over[e.Process] = e.Boot
			continue
		case RightRuns:
			delete(over, e.Process)
			continue
		case Fenced:
			if f, ok := fences[e.Unit]; !ok || e.epoch.Compare(f.epoch) > 0 {
				fences[e.Unit] = e
			}
		case Released:
			if r, ok := released[e.Unit]; !ok || e.epoch.Compare(r.epoch) > 0 {
				released[e.Unit] = e
			}
		case Started:
			if r, ok := released[e.Unit]; ok && e.epoch.Compare(r.epoch) <= 0 {
				out = append(out, fmt.Sprintf("%s started at %s with epoch %s after epoch %s was released at %s", e.Unit, e.Process, e.Epoch, r.Epoch, r.Process))
			}
		}
		acts := e.Event == Started || e.Event == Polled || e.Event == Produced || e.Event == Committed
		if acts && e.Class == "exclusive" {
			add(units, e.Unit, e)
			for _, p := range e.Partitions {
				add(partitions, connectorOf(e.Unit)+" partition "+p, e)
			}
			if at, ok := over[e.Process]; ok && e.Begin > at {
				out = append(out, fmt.Sprintf("%s %s at %s, epoch %s, %s after the right had ended", e.Unit, e.Event, e.Process, e.Epoch, time.Duration(e.Begin-at)))
			}
		}
		if f, ok := fences[e.Unit]; ok && e.Event == Committed && e.Class != "exclusive" && e.epoch.Compare(f.epoch) < 0 && e.Begin > f.Boot {
			out = append(out, fmt.Sprintf("%s committed at %s with epoch %s, %s after the fence of epoch %s took effect at %s",
				e.Unit, e.Process, e.Epoch, time.Duration(e.Begin-f.Boot), f.Epoch, f.Process))
		}
	}
	out = append(out, overlaps("unit", units)...)
	return append(out, overlaps("source", partitions)...)
}

func connectorOf(unit string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(unit, "task:"), "/")
	return name
}

// overlaps finds holders that acted before an earlier one had ended.
func overlaps(what string, all map[string]map[string]*span) []string {
	var out []string
	for of, holders := range all {
		var spans []*span
		for _, s := range holders {
			spans = append(spans, s)
		}
		slices.SortFunc(spans, func(a, b *span) int { return cmp.Compare(a.begin, b.begin) })
		for i := 1; i < len(spans); i++ {
			before := spans[i-1]
			if spans[i].begin < before.end {
				out = append(out, fmt.Sprintf("%s %s: %s %s %s before %s had %s for the last time", what, of, spans[i].holder, spans[i].first.Event,
					time.Duration(before.end-spans[i].begin), before.holder, before.last.Event))
			} else if what == "unit" && spans[i].epoch.Compare(before.epoch) < 0 {
				out = append(out, fmt.Sprintf("%s %s: %s acted after %s, which has the higher epoch", what, of, spans[i].holder, before.holder))
			}
		}
	}
	slices.Sort(out)
	return out
}
