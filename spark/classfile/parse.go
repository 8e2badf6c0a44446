package classfile

import (
	"errors"
	"fmt"
)

// Access flags (JVMS tables 4.1-B, 4.5-A, 4.6-A). The same bit means different things on classes, fields and methods.
const (
	accPublic       = 0x0001
	accPrivate      = 0x0002
	accProtected    = 0x0004
	accStatic       = 0x0008
	accFinal        = 0x0010
	accSuper        = 0x0020 // on classes; accSynchronized on methods
	accSynchronized = 0x0020
	accVolatile     = 0x0040
	accTransient    = 0x0080
	accNative       = 0x0100
	accInterface    = 0x0200
	accAbstract     = 0x0400
	accStrict       = 0x0800
)

// classMagic opens every class file (JVMS 4.1).
const classMagic = 0xCAFEBABE

// ErrFormat is wrapped by every error about bytes that are not a well-formed class file.
var ErrFormat = errors.New("not a well-formed class file")

// Class is the part of a class file that serialization depends on. Names are binary names with dots.
type Class struct {
	Name       string
	Super      string   // "" for java.lang.Object only
	Interfaces []string // direct ones, in declaration order
	Access     uint16   // access_flags of the class file itself
	Modifiers  uint16   // Class.getModifiers(): for a nested class those of its InnerClasses entry; ACC_SUPER is cleared
	Fields     []Member
	Methods    []Member // with constructors (<init>) and the static initialiser (<clinit>)
	Record     bool     // has a Record attribute (Java 16 and later)

	constants constantPool
}

// Member is a field or a method of a class.
type Member struct {
	Name       string
	Descriptor string // JVM form with slashes: "Ljava/lang/String;", "(I)V"
	Access     uint16
	Constant   *int64 // value of a ConstantValue attribute of type int or long; nil otherwise
}

// Static, Final and Private tell the member's modifiers.
func (m *Member) Static() bool  { return m.Access&accStatic != 0 }
func (m *Member) Final() bool   { return m.Access&accFinal != 0 }
func (m *Member) Private() bool { return m.Access&accPrivate != 0 }

// Parse reads one class file. Any error wraps ErrFormat. Trailing bytes are an error, as in a JVM.
func Parse(data []byte) (*Class, error) {
	p := &parser{data: data}
	c, err := p.class()
	if err != nil {
		return nil, fmt.Errorf("%w: at byte %d: %w", ErrFormat, p.pos, err)
	}
	return c, nil
}

// parser is a cursor over a class file. After the first failure every read returns zero and err keeps the cause, so
// that straight-line code needs one check per table instead of one per number.
type parser struct {
	data []byte
	pos  int
	err  error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *parser) bytes(n int) []byte {
	if p.err != nil {
		return nil
	}
	if n < 0 || n > len(p.data)-p.pos {
		p.fail("%d bytes wanted, %d left", n, len(p.data)-p.pos)
		return nil
	}
	b := p.data[p.pos : p.pos+n]
	p.pos += n
	return b
}

func (p *parser) u1() byte {
	if b := p.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) u2() uint16 {
	if b := p.bytes(2); b != nil {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return 0
}

func (p *parser) u4() uint32 {
	hi := p.u2()
	return uint32(hi)<<16 | uint32(p.u2())
}

// count reads a u2 table length and refuses one whose smallest possible entries would not fit in what is left, so that
// no table is allocated for a lie.
func (p *parser) count(minEntry int) int {
	n := int(p.u2())
	if p.err == nil && n*minEntry > len(p.data)-p.pos {
		p.fail("a table of %d entries does not fit in %d bytes", n, len(p.data)-p.pos)
		return 0
	}
	return n
}

func (p *parser) class() (*Class, error) {
	if magic := p.u4(); p.err == nil && magic != classMagic {
		return nil, fmt.Errorf("magic number is %#x, not %#x", magic, uint32(classMagic))
	}
	p.u2() // minor version
	p.u2() // major version: nothing read here depends on it
	c := &Class{constants: p.constantPool()}
	c.Access = p.u2()
	c.Name = p.className(c.constants, p.u2())
	if super := p.u2(); super != 0 {
		c.Super = p.className(c.constants, super)
	} else if p.err == nil && c.Name != "java.lang.Object" {
		p.fail("class %s has no superclass", c.Name)
	}
	for range p.count(2) {
		c.Interfaces = append(c.Interfaces, p.className(c.constants, p.u2()))
	}
	c.Fields = p.members(c.constants)
	c.Methods = p.members(c.constants)
	c.Modifiers = c.Access
	p.classAttributes(c)
	c.Modifiers &^= accSuper
	if p.err == nil && p.pos != len(p.data) {
		p.fail("%d bytes after the end of the class", len(p.data)-p.pos)
	}
	if p.err != nil {
		return nil, p.err
	}
	return c, nil
}

// maxNames bounds the names and descriptors of all fields, or of all methods, together, in bytes. They are hashed for the
// serialVersionUID; a class may have 65535 members that share a descriptor of 64 KiB.
const maxNames = 16 << 20

// minMember is the size of a field_info or method_info without attributes.
const minMember = 8

func (p *parser) members(cp constantPool) []Member {
	n := p.count(minMember)
	members := make([]Member, 0, n)
	names := 0
	for range n {
		m := Member{Access: p.u2()}
		m.Name = p.utf8(cp, p.u2())
		m.Descriptor = p.utf8(cp, p.u2())
		p.attributes(cp, func(name string, body *parser) {
			if name == "ConstantValue" {
				m.Constant = cp.integer(body.u2())
			}
		})
		if names += len(m.Name) + len(m.Descriptor); names > maxNames {
			p.fail("the names of %d members have more than %d bytes", n, maxNames)
		}
		if p.err != nil {
			return nil
		}
		members = append(members, m)
	}
	return members
}

// minAttribute is the size of an attribute_info with an empty body.
const minAttribute = 6

// attributes walks an attribute table and gives every attribute's body to visit, which may leave bytes unread.
func (p *parser) attributes(cp constantPool, visit func(name string, body *parser)) {
	for range p.count(minAttribute) {
		name := p.utf8(cp, p.u2())
		size := p.u4()
		if uint64(size) > uint64(len(p.data)) {
			p.fail("attribute %s claims %d bytes", name, size)
		}
		body := &parser{data: p.bytes(int(size))}
		if p.err != nil {
			return
		}
		if visit(name, body); body.err != nil {
			p.fail("attribute %s: %w", name, body.err)
			return
		}
	}
}

// classAttributes takes what Class.getModifiers and Class.isRecord need. A nested class's own access_flags say nothing of private,
// protected or static; the JVM takes its modifiers from the InnerClasses entry that names the class itself.
func (p *parser) classAttributes(c *Class) {
	p.attributes(c.constants, func(name string, body *parser) {
		switch name {
		case "Record":
			c.Record = true
		case "InnerClasses":
			for range body.count(8) {
				inner := body.u2()
				body.u2() // the outer class
				body.u2() // the simple name
				flags := body.u2()
				if inner != 0 && body.className(c.constants, inner) == c.Name {
					c.Modifiers = flags
				}
			}
		}
	})
}
