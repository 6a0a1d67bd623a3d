package configdef

import (
	"slices"
	"unicode/utf16"
)

// HashOrder puts names into the order in which a Java HashMap, or HashSet, that they were put into in their
// present order gives them back: Kafka Connect shows some lists so, and tools compare lists.
func HashOrder(names []string) []string {
	size := uint32(16)
	for len(names)*4 > int(size)*3 {
		size *= 2
	}
	bucket := func(name string) uint32 {
		var h uint32
		for _, c := range utf16.Encode([]rune(name)) {
			h = 31*h + uint32(c)
		}
		return (h ^ h>>16) & (size - 1)
	}
	out := slices.Clone(names)
	slices.SortStableFunc(out, func(a, b string) int { return int(bucket(a)) - int(bucket(b)) })
	return out
}
