package converter

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// toUTF8 makes UTF-8 of a document in another of JSON's encodings, which Jackson knows by a byte order mark or by the zeros of the
// first character, and takes the mark away.
func toUTF8(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != 0 && b[1] != 0 && b[0] < 0xEF {
		return b, nil // nearly always
	}
	if len(b) >= 4 {
		switch quad := binary.BigEndian.Uint32(b); {
		case quad == 0x0000FEFF:
			return fromUTF32(b[4:], binary.BigEndian)
		case quad == 0xFFFE0000:
			return fromUTF32(b[4:], binary.LittleEndian)
		case quad>>16 == 0xFEFF && quad != 0xFEFF0000:
			return fromUTF16(b[2:], binary.BigEndian), nil
		case quad>>16 == 0xFFFE:
			return fromUTF16(b[2:], binary.LittleEndian), nil
		case quad>>8 == 0xEFBBBF:
			return b[3:], nil
		case quad>>8 == 0:
			return fromUTF32(b, binary.BigEndian)
		case quad&0x00FFFFFF == 0:
			return fromUTF32(b, binary.LittleEndian)
		case quad == 0xFEFF0000, quad&^0x00FF0000 == 0, quad&^0x0000FF00 == 0:
			return nil, noJSON("JSON in UTF-32 of an order of bytes that nobody writes")
		}
	}
	switch {
	case b[0] == 0:
		return fromUTF16(b, binary.BigEndian), nil
	case b[1] == 0:
		return fromUTF16(b, binary.LittleEndian), nil
	}
	return b, nil
}

func fromUTF16(b []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, 0, len(b)/2+1)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	if len(b) == 1 {
		units = append(units, utf8.RuneError)
	}
	return []byte(string(utf16.Decode(units)))
}

func fromUTF32(b []byte, order binary.ByteOrder) ([]byte, error) {
	out := make([]byte, 0, len(b)/4)
	for ; len(b) >= 4; b = b[4:] {
		r := order.Uint32(b)
		if r > utf8.MaxRune {
			return nil, noJSON("JSON in UTF-32 with the character %#x, which is none", r)
		}
		out = utf8.AppendRune(out, rune(r)) //nolint:gosec // it is checked
	}
	if len(b) > 0 {
		return nil, noJSON("JSON in UTF-32 that ends within a character")
	}
	return out, nil
}
