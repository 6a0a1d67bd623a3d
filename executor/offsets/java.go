package offsets

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// javaMagic starts every stream of Java's object serialisation, version 5.
var javaMagic = []byte{0xAC, 0xED, 0x00, 0x05}

// The tags of the stream that a HashMap<byte[], byte[]> needs.
const (
	tagNull      = 0x70
	tagReference = 0x71
	tagClass     = 0x72
	tagObject    = 0x73
	tagArray     = 0x75
	tagBlock     = 0x77
	tagBlockEnd  = 0x78
	baseHandle   = 0x7E0000
)

var errShort = errors.New("the file ends early")

type javaPair struct{ key, value []byte }

// javaMap reads the one object that FileOffsetBackingStore writes: a java.util.HashMap of byte arrays.
// Anything else is refused.
func javaMap(b []byte) (pairs []javaPair, err error) {
	d := &javaReader{b: b[len(javaMagic):]}
	defer func() {
		if d.short {
			pairs, err = nil, errShort
		}
	}()
	if t := d.byte(); t != tagObject {
		return nil, fmt.Errorf("an object was expected, not tag 0x%02X", t)
	}
	name, err := d.class()
	if err != nil {
		return nil, err
	}
	if name != "java.util.HashMap" {
		return nil, fmt.Errorf("it holds a %q: a java.util.HashMap was expected", name)
	}
	d.handles = append(d.handles, nil) // the map itself
	d.take(8)                          // loadFactor, threshold
	if t := d.byte(); t != tagBlock {
		return nil, fmt.Errorf("a map's size was expected, not tag 0x%02X", t)
	}
	block := d.take(int(d.byte()))
	if len(block) != 8 {
		return nil, errors.New("a map's size has 8 bytes")
	}
	n := int(int32(binary.BigEndian.Uint32(block[4:])))
	for i := 0; i < n && !d.short; i++ {
		k, err := d.array()
		if err != nil {
			return nil, err
		}
		v, err := d.array()
		if err != nil {
			return nil, err
		}
		if k != nil {
			pairs = append(pairs, javaPair{k, v})
		}
	}
	return pairs, nil
}

// javaReader reads the stream. short is set once it has run out.
type javaReader struct {
	b       []byte
	short   bool
	handles []any // string: a class; []byte: an array; nil: other
}

func (d *javaReader) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.short, d.b = true, nil
		return make([]byte, max(0, min(n, 8)))
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *javaReader) byte() byte { return d.take(1)[0] }
func (d *javaReader) u16() int   { return int(binary.BigEndian.Uint16(d.take(2))) }
func (d *javaReader) u32() int   { return int(int32(binary.BigEndian.Uint32(d.take(4)))) }

func (d *javaReader) reference() (any, error) {
	i := d.u32() - baseHandle
	if i < 0 || i >= len(d.handles) {
		return nil, fmt.Errorf("a reference to %d, which is not there", i)
	}
	return d.handles[i], nil
}

// class reads a class description, without superclasses that are serialised.
func (d *javaReader) class() (string, error) {
	switch t := d.byte(); t {
	case tagReference:
		h, err := d.reference()
		if err != nil {
			return "", err
		}
		name, ok := h.(string)
		if !ok {
			return "", errors.New("a reference that is not to a class")
		}
		return name, nil
	case tagClass:
	default:
		return "", fmt.Errorf("a class was expected, not tag 0x%02X", t)
	}
	name := string(d.take(d.u16()))
	d.handles = append(d.handles, name)
	d.take(9) // serialVersionUID, flags
	for n := d.u16(); n > 0 && !d.short; n-- {
		if t := d.byte(); t == 'L' || t == '[' {
			return "", fmt.Errorf("class %q has fields that are objects", name)
		}
		d.take(d.u16())
	}
	if end := d.take(2); end[0] != tagBlockEnd || end[1] != tagNull {
		return "", fmt.Errorf("class %q has annotations or a superclass", name)
	}
	return name, nil
}

// array reads a byte array; nil for null.
func (d *javaReader) array() ([]byte, error) {
	switch t := d.byte(); t {
	case tagNull:
		return nil, nil
	case tagReference:
		h, err := d.reference()
		if err != nil {
			return nil, err
		}
		b, ok := h.([]byte)
		if !ok {
			return nil, errors.New("a reference that is not to a byte array")
		}
		return b, nil
	case tagArray:
		name, err := d.class()
		if err != nil {
			return nil, err
		}
		if name != "[B" {
			return nil, fmt.Errorf("an array of class %q: byte[] was expected", name)
		}
		b := d.take(d.u32())
		d.handles = append(d.handles, b)
		return b, nil
	default:
		return nil, fmt.Errorf("a byte array was expected, not tag 0x%02X", t)
	}
}
