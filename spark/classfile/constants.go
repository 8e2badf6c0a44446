package classfile

import (
	"encoding/binary"
	"strings"
)

// Constant pool tags (JVMS table 4.4-A).
const (
	tagUtf8               = 1
	tagInteger            = 3
	tagFloat              = 4
	tagLong               = 5
	tagDouble             = 6
	tagClass              = 7
	tagString             = 8
	tagFieldref           = 9
	tagMethodref          = 10
	tagInterfaceMethodref = 11
	tagNameAndType        = 12
	tagMethodHandle       = 15
	tagMethodType         = 16
	tagDynamic            = 17
	tagInvokeDynamic      = 18
	tagModule             = 19
	tagPackage            = 20
)

// constant is one entry of the pool: its tag, its raw body, and for names the text once it was asked for. Many members may
// share one long name; decoding it for each would let a small file cost gigabytes.
type constant struct {
	tag  byte
	body []byte
	text *string
}

// constantPool is indexed from 1; entry 0 and the entry after a long or double are empty (tag 0).
type constantPool []constant

// constantSize gives the body size of every tag of fixed size; 0 is an unknown tag.
func constantSize(tag byte) int {
	switch tag {
	case tagClass, tagString, tagMethodType, tagModule, tagPackage:
		return 2
	case tagMethodHandle:
		return 3
	case tagInteger, tagFloat, tagFieldref, tagMethodref, tagInterfaceMethodref, tagNameAndType, tagDynamic, tagInvokeDynamic:
		return 4
	case tagLong, tagDouble:
		return 8
	}
	return 0
}

func (p *parser) constantPool() constantPool {
	n := p.count(1)
	cp := make(constantPool, max(n, 1))
	for i := 1; i < n && p.err == nil; i++ {
		tag := p.u1()
		size := constantSize(tag)
		if tag == tagUtf8 {
			size = int(p.u2())
		} else if size == 0 {
			p.fail("constant %d has the unknown tag %d", i, tag)
		}
		cp[i] = constant{tag: tag, body: p.bytes(size)}
		if tag == tagLong || tag == tagDouble {
			i++ // takes two entries (JVMS 4.4.5)
		}
	}
	return cp
}

func (cp constantPool) at(i uint16, tag byte) ([]byte, bool) {
	if int(i) >= len(cp) || cp[i].tag != tag {
		return nil, false
	}
	return cp[i].body, true
}

func (p *parser) utf8(cp constantPool, i uint16) string {
	b, ok := cp.at(i, tagUtf8)
	if !ok {
		p.fail("constant %d is not a string", i)
		return ""
	}
	if cp[i].text == nil {
		s, ok := decodeModified(b)
		if !ok {
			p.fail("constant %d is not a name in modified UTF-8", i)
		}
		cp[i].text = &s
	}
	return *cp[i].text
}

// className resolves a Class entry to a binary name with dots.
func (p *parser) className(cp constantPool, i uint16) string {
	b, ok := cp.at(i, tagClass)
	if !ok {
		p.fail("constant %d is not a class", i)
		return ""
	}
	if cp[i].text == nil {
		s := strings.ReplaceAll(p.utf8(cp, binary.BigEndian.Uint16(b)), "/", ".")
		cp[i].text = &s
	}
	return *cp[i].text
}

// integer is the value of an Integer or Long entry, nil for any other.
func (cp constantPool) integer(i uint16) *int64 {
	var v int64
	if b, ok := cp.at(i, tagInteger); ok {
		v = int64(int32(binary.BigEndian.Uint32(b)))
	} else if b, ok := cp.at(i, tagLong); ok {
		v = int64(binary.BigEndian.Uint64(b))
	} else {
		return nil
	}
	return &v
}

// Strings lists the string literals of the class (its CONSTANT_String entries) in pool order, without those that no Go
// string can hold. A literal is all that can be
// learned of a value without running code: package releases reads compiled-in defaults this way.
func (c *Class) Strings() []string {
	var out []string
	for _, k := range c.constants {
		if k.tag != tagString {
			continue
		}
		if b, ok := c.constants.at(binary.BigEndian.Uint16(k.body), tagUtf8); ok {
			if s, ok := decodeModified(b); ok {
				out = append(out, s)
			}
		}
	}
	return out
}
