package bench

import (
	"fmt"
	"strings"
)

// words fill records up to their size.
const words = "the quick brown fox jumps over a lazy dog while seven wise wizards mix vexing potions by the old river bank "

// filler is n bytes of words that begin somewhere else for each i.
func filler(i, n int) string {
	at := i * 7 % len(words)
	return strings.Repeat(words, n/len(words)+2)[at : at+n]
}

// Line is record i of a text file, without its end: a web server's log.
func Line(i, size int) string {
	head := fmt.Sprintf(`10.%d.%d.%d - - [24/Nov/2026:12:%02d:%02d +0000] "GET /items/%08d HTTP/1.1" 200 `, i>>16&255, i>>8&255, i&255, i/60%60, i%60, i)
	return head + filler(i, max(0, size-len(head)))
}

// Object is record i as a JSON object.
func Object(i, size int) string {
	head := fmt.Sprintf(`{"id":%08d,"level":"INFO","ts":%d,"price":%d.5,"ok":%t,"text":"`, 10_000_000+i, 1_760_000_000_000+int64(i), i%1000, i%2 == 0)
	return head + filler(i, max(0, size-len(head)-2)) + `"}`
}

const schemaOfObject = `{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":false,"field":"level"},` +
	`{"type":"int64","optional":false,"field":"ts"},{"type":"double","optional":false,"field":"price"},{"type":"boolean","optional":false,"field":"ok"},` +
	`{"type":"string","optional":false,"field":"text"}],"optional":false}`

// Value is record i as the topic of a sink has it.
func (j *Job) Value(i int) string {
	switch j.Format {
	case JSON:
		return Object(i, j.Size)
	case JSONSchemas:
		return `{"schema":` + schemaOfObject + `,"payload":` + Object(i, j.Size) + `}`
	default:
		return Line(i, j.Size)
	}
}
