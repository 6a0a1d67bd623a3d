package filestream

import (
	"bytes"
	"fmt"
	"sync"
)

const (
	// bufferSize is what is read at once, in bytes.
	bufferSize = 128 << 10
	// minRead is the least room to read into, in bytes.
	minRead = 32 << 10
	// maxLine bounds the buffer, in bytes: a broker's socket.request.max.bytes, by default.
	maxLine = 100 << 20
)

// buffers are those that nobody reads into: an idle task looks at its file each second.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// lines splits bytes into lines that end in \n, \r or \r\n. Bytes are put where room says, and taken
// out line by line.
//
//	0 ......... start ....... scan ............ end ....... len(buf)
//	  consumed        no end        not looked        room
//	                  of line       at
type lines struct {
	buf              []byte
	start, scan, end int
	nl               int // the next \n at or after scan where it is known, or less than scan
	clean            int // there is no \n in buf[scan:clean] but nl
	pos              int64
}

// reset starts over at a byte position of the file.
func (l *lines) reset(pos int64) { *l = lines{buf: l.buf, nl: -1, pos: pos} }

// room returns where to read to, at least minRead bytes.
func (l *lines) room() ([]byte, error) {
	if l.buf == nil {
		l.buf = buffers.Get().(*[bufferSize]byte)[:]
	}
	if l.start == l.end || len(l.buf)-l.end < minRead {
		l.compact()
	}
	if len(l.buf)-l.end < minRead {
		if l.end > maxLine {
			return nil, fmt.Errorf("%w: no end of line in the %d bytes from position %d on; at most %d make a record: is this a text file?",
				ErrLineTooLong, l.end, l.pos, maxLine)
		}
		grown := make([]byte, 2*len(l.buf))
		copy(grown, l.buf[:l.end])
		l.buf = grown
	}
	return l.buf[l.end:], nil
}

func (l *lines) compact() {
	copy(l.buf, l.buf[l.start:l.end])
	l.nl, l.clean = max(l.nl-l.start, -1), max(l.clean-l.start, 0)
	l.scan -= l.start
	l.end -= l.start
	l.start = 0
}

// added says that n bytes were put where room said.
func (l *lines) added(n int) { l.end += n }

// release gives the buffer back where it is empty, so that idle tasks hold none.
func (l *lines) release() {
	if l.start == l.end {
		if len(l.buf) == bufferSize {
			buffers.Put((*[bufferSize]byte)(l.buf))
		}
		l.buf = nil
		l.reset(l.pos)
	}
}

// next returns a line without its terminator, valid until room is called. Afterwards pos is the
// position of the line after it.
func (l *lines) next() ([]byte, bool) {
	nl := l.newline()
	limit := nl
	if nl < 0 {
		limit = l.end
	}
	end, size := nl, 1
	if cr := bytes.IndexByte(l.buf[l.scan:limit], '\r'); cr >= 0 {
		end = l.scan + cr
		if end+1 == l.end { // perhaps the first half of \r\n
			l.scan = end
			return nil, false
		}
		if l.buf[end+1] == '\n' {
			size = 2
		}
	} else if nl < 0 {
		l.scan = l.end
		return nil, false
	}
	line := l.buf[l.start:end]
	l.pos += int64(end + size - l.start)
	l.start = end + size
	l.scan = l.start
	return line, true
}

// newline is the next \n from scan on, or -1. What was searched is not searched again: a file with \r
// alone would cost the square of the buffer.
func (l *lines) newline() int {
	if l.nl >= l.scan {
		return l.nl
	}
	from := max(l.clean, l.scan)
	i := bytes.IndexByte(l.buf[from:l.end], '\n')
	if i < 0 {
		l.nl, l.clean = -1, l.end
		return -1
	}
	l.nl = from + i
	l.clean = l.nl + 1
	return l.nl
}
