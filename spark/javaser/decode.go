package javaser

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
)

// Decode reads a stream that holds exactly one object. It returns one of the errors of this package, wrapped, for
// anything else, whatever the bytes are.
func Decode(b []byte, lim Limits) (Value, error) {
	lim = lim.filled()
	if len(b) > lim.MaxBytes {
		return nil, fmt.Errorf("decode %d bytes, at most %d are taken: %w", len(b), lim.MaxBytes, ErrTooLarge)
	}
	d := decoders.Get().(*decoder)
	defer d.release()
	d.b, d.pos, d.depth, d.lim, d.elements = b, 0, 0, lim, lim.MaxElements
	v, err := d.stream()
	if err != nil {
		return nil, fmt.Errorf("decode java object stream of %d bytes, at byte %d: %w", len(b), d.pos, err)
	}
	return v, nil
}

// decoder holds the state of one Decode. Decoders are pooled for their handle table and their names.
type decoder struct {
	b        []byte
	pos      int
	depth    int
	elements int // how many more values may be made
	lim      Limits
	handles  []any // *ClassDesc, pending, string, *Object, *Array, *Enum, *Class
	names    map[string]string
}

// pending stands in the handle table for a class descriptor that is still being read. A reference to it would make a
// class its own superclass.
type pending struct{}

// Names of classes, fields and types recur in every message of a peer: they are kept between messages, within bounds
// that a hostile peer can fill but not pass.
const (
	maxNames      = 2048
	maxNameLength = 160
)

var decoders = sync.Pool{New: func() any { return &decoder{names: make(map[string]string, 256)} }}

func (d *decoder) release() {
	const keep = 4096
	if cap(d.handles) > keep {
		d.handles = nil
	}
	clear(d.handles) // let go of the values
	d.handles = d.handles[:0]
	d.b = nil
	decoders.Put(d)
}

func (d *decoder) stream() (Value, error) {
	head, err := d.take(4)
	if err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint16(head) != streamMagic || binary.BigEndian.Uint16(head[2:]) != streamVersion {
		return nil, fmt.Errorf("%w: it does not start with AC ED 00 05", ErrMalformed)
	}
	for d.pos < len(d.b) && d.b[d.pos] == tcReset { // a writer may reset before its object; there is nothing to forget yet
		d.pos++
	}
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	if rest := len(d.b) - d.pos; rest != 0 {
		return nil, fmt.Errorf("%w: %d", ErrTrailing, rest)
	}
	return v, nil
}

// value reads any object, null or reference.
func (d *decoder) value() (Value, error) {
	tc, err := d.u8()
	if err != nil {
		return nil, err
	}
	switch tc {
	case tcNull:
		return nil, nil
	case tcReference:
		return d.reference()
	case tcString, tcLongString:
		return d.newString(tc)
	}
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	switch tc {
	case tcObject:
		return d.newObject()
	case tcArray:
		return d.newArray()
	case tcEnum:
		return d.newEnum()
	case tcClass:
		return d.newClass()
	case tcClassDesc, tcProxyClassDesc, tcException, tcReset:
		return nil, fmt.Errorf("%w: type code 0x%02x as a value", ErrUnsupported, tc)
	}
	return nil, fmt.Errorf("%w: type code 0x%02x where a value starts", ErrMalformed, tc)
}

func (d *decoder) reference() (Value, error) {
	h, err := d.handle()
	if err != nil {
		return nil, err
	}
	switch h.(type) {
	case *ClassDesc, pending:
		return nil, fmt.Errorf("%w: a class descriptor as a value", ErrUnsupported)
	}
	return h, nil
}

// handle reads a handle and looks it up.
func (d *decoder) handle() (any, error) {
	n, err := d.u32()
	if err != nil {
		return nil, err
	}
	i := int64(n) - baseHandle
	if i < 0 || i >= int64(len(d.handles)) {
		return nil, fmt.Errorf("%w: handle 0x%08x refers to nothing", ErrMalformed, n)
	}
	return d.handles[i], nil
}

// assign gives the next handle to v.
func (d *decoder) assign(v any) error {
	if len(d.handles) >= d.lim.MaxHandles {
		return fmt.Errorf("%w: %d handles", ErrTooMany, d.lim.MaxHandles)
	}
	d.handles = append(d.handles, v)
	return nil
}

func (d *decoder) newString(tc byte) (Value, error) {
	s, err := d.stringBody(tc)
	if err != nil {
		return nil, err
	}
	var v Value = s
	return v, d.assign(v)
}

// stringBody reads what follows TC_STRING or TC_LONGSTRING.
func (d *decoder) stringBody(tc byte) (string, error) {
	var n uint64
	if tc == tcString {
		short, err := d.u16()
		if err != nil {
			return "", err
		}
		n = uint64(short)
	} else {
		long, err := d.u64()
		if err != nil {
			return "", err
		}
		n = long
	}
	raw, err := d.take(n)
	if err != nil {
		return "", err
	}
	return decodeUTF(raw)
}

func (d *decoder) newObject() (Value, error) {
	class, err := d.classDesc()
	if err != nil {
		return nil, err
	}
	if class == nil || class.Flags&FlagEnum != 0 {
		return nil, fmt.Errorf("%w: an object without a class, or of an enum class", ErrMalformed)
	}
	o := &Object{Class: class}
	if err := d.assign(o); err != nil {
		return nil, err
	}
	levels := class.levels()
	if err := d.spend(levels); err != nil {
		return nil, err
	}
	o.Data = make([]ClassData, levels)
	for c, i := class, levels-1; i >= 0; c, i = c.Super, i-1 {
		o.Data[i].Class = c
	}
	for i := range o.Data {
		if err := d.classData(&o.Data[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Data[i].Class.Name, err)
		}
	}
	return o, nil
}

// levels is the number of classes that have a part in an object: all of the hierarchy, but an Externalizable writes
// everything itself.
func (c *ClassDesc) levels() int {
	if c.Flags&FlagExternalizable != 0 {
		return 1
	}
	return c.height()
}

// height is the number of classes from c up to its topmost serializable superclass.
func (c *ClassDesc) height() int {
	n := 0
	for ; c != nil; c = c.Super {
		n++
	}
	return n
}

func (d *decoder) classData(cd *ClassData) error {
	c := cd.Class
	if c.Flags&FlagExternalizable != 0 && c.Flags&FlagBlockData == 0 {
		return fmt.Errorf("%w: Externalizable of stream protocol 1", ErrUnsupported)
	}
	if c.Flags&FlagExternalizable == 0 && c.writesFields() {
		values, err := d.fields(c.Fields)
		if err != nil {
			return err
		}
		cd.Values = values
	}
	if !c.annotated() {
		return nil
	}
	var err error
	cd.Annotation, err = d.annotation()
	return err
}

func (d *decoder) fields(fields []Field) ([]Value, error) {
	if err := d.claim(len(fields), 1); err != nil {
		return nil, err
	}
	values := make([]Value, len(fields))
	for i := range fields {
		v, err := d.typed(fields[i].Type[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fields[i].Name, err)
		}
		values[i] = v
	}
	return values, nil
}

// typed reads a value of the JVM type that starts with t; class descriptors were checked to hold no other types.
func (d *decoder) typed(t byte) (Value, error) {
	switch t {
	case 'B':
		n, err := d.u8()
		return int8(n), err
	case 'Z':
		n, err := d.u8()
		return n != 0, err
	case 'C':
		return wrap(d.u16())
	case 'S':
		n, err := d.u16()
		return int16(n), err
	case 'I':
		n, err := d.u32()
		return int32(n), err
	case 'F':
		n, err := d.u32()
		return math.Float32frombits(n), err
	case 'J':
		n, err := d.u64()
		return int64(n), err
	case 'D':
		n, err := d.u64()
		return math.Float64frombits(n), err
	}
	return d.value()
}

func wrap(n uint16, err error) (Value, error) { return n, err }

// annotation reads blocks and objects up to TC_ENDBLOCKDATA.
func (d *decoder) annotation() ([]Value, error) {
	var out []Value
	for {
		tc, err := d.u8()
		if err != nil {
			return nil, err
		}
		if tc == tcEndBlockData {
			return out, nil
		}
		if err := d.spend(1); err != nil {
			return nil, err
		}
		var v Value
		if tc == tcBlockData || tc == tcBlockDataLong {
			v, err = d.block(tc)
		} else {
			d.pos--
			v, err = d.value()
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

func (d *decoder) block(tc byte) (Value, error) {
	var n uint64
	if tc == tcBlockData {
		short, err := d.u8()
		if err != nil {
			return nil, err
		}
		n = uint64(short)
	} else {
		long, err := d.u32()
		if err != nil {
			return nil, err
		}
		n = uint64(long) // a negative Java int becomes larger than any stream
	}
	raw, err := d.take(n)
	if err != nil {
		return nil, err
	}
	return append(Block(nil), raw...), nil
}

func (d *decoder) newArray() (Value, error) {
	class, err := d.classDesc()
	if err != nil {
		return nil, err
	}
	if class == nil || len(class.Name) < 2 || class.Name[0] != '[' || width(class.Name[1:]) == 0 {
		return nil, fmt.Errorf("%w: an array whose class is no array class", ErrMalformed)
	}
	a := &Array{Class: class}
	if err := d.assign(a); err != nil {
		return nil, err
	}
	n, err := d.u32()
	if err != nil {
		return nil, err
	}
	if n > math.MaxInt32 {
		return nil, fmt.Errorf("%w: array of negative length", ErrMalformed)
	}
	elem := class.Name[1]
	if err := d.claim(int(n), width(class.Name[1:])); err != nil {
		return nil, err
	}
	a.Values = make([]Value, n)
	for i := range a.Values {
		if a.Values[i], err = d.typed(elem); err != nil {
			return nil, fmt.Errorf("element %d of %s: %w", i, class.Name, err)
		}
	}
	return a, nil
}

func (d *decoder) newEnum() (Value, error) {
	class, err := d.classDesc()
	if err != nil {
		return nil, err
	}
	if class == nil {
		return nil, fmt.Errorf("%w: an enum constant without a class", ErrMalformed)
	}
	e := &Enum{Class: class}
	if err := d.assign(e); err != nil {
		return nil, err
	}
	e.Name, err = d.stringValue()
	return e, err
}

func (d *decoder) newClass() (Value, error) {
	class, err := d.classDesc()
	if err != nil {
		return nil, err
	}
	if class == nil {
		return nil, fmt.Errorf("%w: a class object without a descriptor", ErrMalformed)
	}
	c := &Class{Desc: class}
	return c, d.assign(c)
}

// stringValue reads a string or a reference to one.
func (d *decoder) stringValue() (string, error) {
	tc, err := d.u8()
	if err != nil {
		return "", err
	}
	var v any
	switch tc {
	case tcString, tcLongString:
		v, err = d.newString(tc)
	case tcReference:
		v, err = d.handle()
	default:
		return "", fmt.Errorf("%w: type code 0x%02x where a string is due", ErrMalformed, tc)
	}
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%w: %T where a string is due", ErrMalformed, v)
	}
	return s, nil
}
