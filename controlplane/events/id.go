package events

import (
	"fmt"
	"strconv"
	"strings"
)

// ID is a place in the stream: everything up to it has been seen.
type ID struct {
	Revision int64
	// Place is that of an event in its revision, from 0; Whole where all of the revision has been seen.
	Place int
	Era   uint64
}

// Whole is the Place after all events of a revision.
const Whole = -1

// String is as `812`, `812.0` and `812@1`.
func (i ID) String() string {
	s := strconv.FormatInt(i.Revision, 10)
	if i.Place != Whole {
		s += "." + strconv.Itoa(i.Place)
	}
	if i.Era != 0 {
		s += "@" + strconv.FormatUint(i.Era, 10)
	}
	return s
}

// ParseID reads an ID as String writes it.
func ParseID(s string) (ID, error) {
	out := ID{Place: Whole}
	bad := fmt.Errorf("%q is not the id of an event, such as 812, 812.0 or 812@1", s)
	rest, era, hasEra := strings.Cut(s, "@")
	revision, place, hasPlace := strings.Cut(rest, ".")
	var err error
	if out.Revision, err = strconv.ParseInt(revision, 10, 64); err != nil || out.Revision < 0 {
		return ID{}, bad
	}
	if hasPlace {
		n, err := strconv.ParseUint(place, 10, 31)
		if err != nil {
			return ID{}, bad
		}
		out.Place = int(n)
	}
	if hasEra {
		if out.Era, err = strconv.ParseUint(era, 10, 64); err != nil {
			return ID{}, bad
		}
	}
	return out, nil
}

// After is the revision after which the stream is to be read, to go on from here.
func (i ID) After() int64 {
	if i.Place == Whole {
		return i.Revision
	}
	return i.Revision - 1
}

// Has says whether an event was seen by who has seen everything up to i.
func (i ID) Has(e ID) bool {
	if e.Revision != i.Revision {
		return e.Revision < i.Revision
	}
	return i.Place == Whole || e.Place != Whole && e.Place <= i.Place
}
