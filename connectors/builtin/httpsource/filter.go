package httpsource

import (
	"maps"
	"slices"
)

// unseen leaves the records that are behind the listing's offset: of a later timestamp, to the millisecond, or behind the record of
// that offset. It is castorm's filter but for one thing: where that record is not in the answer and should not be (the request
// names more of the offset than a timestamp, or the answer is the whole listing), records of the same timestamp pass,
// which castorm drops.
//
// Without a timestamp in the offset all records pass.
func (s *settings) unseen(l *listing, records []record) []record {
	since, has, _ := l.since.time() // it was read when the offset was
	kind := s.String(filterKey)
	if kind == noFilter || !has {
		return records
	}
	atOnce := s.String(pagesKey) == noPages || s.byKey
	here := kind == offsetFilter && slices.ContainsFunc(records, func(r record) bool { return s.same(r.at, l.since) })
	out := records[:0]
	for _, r := range records {
		ms, last := r.time.UnixMilli(), since.UnixMilli()
		switch {
		case ms > last, kind == offsetFilter && l.seen, kind == offsetFilter && !here && atOnce && ms == last:
			out = append(out, r)
		case s.same(r.at, l.since):
			l.seen = true
		}
	}
	return out
}

// same says whether a record has an offset, whatever the cursors are.
func (s *settings) same(record, o offset) bool {
	if len(s.cursors) > 0 {
		o = maps.Clone(o)
		for name := range s.cursors {
			delete(o, name)
		}
	}
	return maps.Equal(record, o)
}
