package javaser

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
)

// Encode writes v as a stream. Pointers that occur more than once (class descriptors, objects, arrays, enum constants,
// classes) and equal strings are written once and referred to, as the JVM does. It returns ErrInvalidTree, wrapped, for
// a tree that does not fit its own class descriptors.
func Encode(v Value) ([]byte, error) { return Append(nil, v) }

// Append is Encode into a buffer that the caller has. On an error dst comes back as it was.
func Append(dst []byte, v Value) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer e.release()
	e.b = binary.BigEndian.AppendUint16(e.b, streamMagic)
	e.b = binary.BigEndian.AppendUint16(e.b, streamVersion)
	if err := e.value(v); err != nil {
		return dst, fmt.Errorf("encode java object stream: %w", err)
	}
	return append(dst, e.b...), nil
}

// encoder holds the state of one Encode; encoders are pooled for their buffer and tables.
type encoder struct {
	b       []byte
	depth   int
	next    uint32 // the handle that the next class descriptor, object, string... gets, less baseHandle
	classes map[*ClassDesc]uint32
	strings map[string]uint32
	things  map[any]uint32 // *Object, *Array, *Enum, *Class
}

// maxEncodeDepth is far beyond any real tree, and far below what a goroutine's stack takes.
const maxEncodeDepth = 100_000

var encoders = sync.Pool{New: func() any {
	return &encoder{
		b:       make([]byte, 0, 8<<10),
		classes: make(map[*ClassDesc]uint32, 64),
		strings: make(map[string]uint32, 128),
		things:  make(map[any]uint32, 64),
	}
}}

func (e *encoder) release() {
	const keepBytes, keepHandles = 256 << 10, 4096
	if cap(e.b) > keepBytes || e.next > keepHandles {
		return // one large message must not stay in memory for ever
	}
	e.b, e.depth, e.next = e.b[:0], 0, 0
	clear(e.classes)
	clear(e.strings)
	clear(e.things)
	encoders.Put(e)
}

func (e *encoder) u8(v byte)    { e.b = append(e.b, v) }
func (e *encoder) u16(v uint16) { e.b = binary.BigEndian.AppendUint16(e.b, v) }
func (e *encoder) u32(v uint32) { e.b = binary.BigEndian.AppendUint32(e.b, v) }
func (e *encoder) u64(v uint64) { e.b = binary.BigEndian.AppendUint64(e.b, v) }

func (e *encoder) reference(handle uint32) {
	e.u8(tcReference)
	e.u32(baseHandle + handle)
}

func (e *encoder) assign() uint32 {
	e.next++
	return e.next - 1
}

// value writes any object, null or reference.
func (e *encoder) value(v Value) error {
	switch v := v.(type) {
	case nil:
		e.u8(tcNull)
		return nil
	case string:
		e.str(v)
		return nil
	case *Object:
		if v == nil || v.Class == nil {
			return fmt.Errorf("%w: an object without a class", ErrInvalidTree)
		}
	case *Array:
		if v == nil || v.Class == nil {
			return fmt.Errorf("%w: an array without a class", ErrInvalidTree)
		}
	case *Enum:
		if v == nil || v.Class == nil {
			return fmt.Errorf("%w: an enum constant without a class", ErrInvalidTree)
		}
	case *Class:
		if v == nil || v.Desc == nil {
			return fmt.Errorf("%w: a class object without a descriptor", ErrInvalidTree)
		}
	default:
		return fmt.Errorf("%w: %T where an object is due", ErrInvalidTree, v)
	}
	if handle, known := e.things[v]; known {
		e.reference(handle)
		return nil
	}
	return e.thing(v)
}

// thing writes an object, array, enum constant or class for the first time.
func (e *encoder) thing(v Value) error {
	if e.depth >= maxEncodeDepth {
		return fmt.Errorf("%w: %d", ErrTooDeep, maxEncodeDepth)
	}
	e.depth++
	defer func() { e.depth-- }()
	switch v := v.(type) {
	case *Object:
		return e.object(v)
	case *Array:
		return e.array(v)
	case *Enum:
		e.u8(tcEnum)
		if err := e.class(v.Class); err != nil {
			return err
		}
		e.things[v] = e.assign()
		e.str(v.Name)
	case *Class:
		e.u8(tcClass)
		if err := e.class(v.Desc); err != nil {
			return err
		}
		e.things[v] = e.assign()
	}
	return nil
}

// str writes a string object, or a reference to an equal one. Java code can not tell but by ==.
func (e *encoder) str(s string) {
	if handle, known := e.strings[s]; known {
		e.reference(handle)
		return
	}
	e.strings[s] = e.assign()
	start := len(e.b)
	e.u8(tcString)
	e.u16(0)
	e.b = appendUTF(e.b, s)
	n := len(e.b) - start - 3
	if n <= math.MaxUint16 {
		binary.BigEndian.PutUint16(e.b[start+1:], uint16(n))
		return
	}
	e.b = e.b[:start]
	e.u8(tcLongString)
	e.u64(uint64(n))
	e.b = appendUTF(e.b, s)
}

func (e *encoder) object(o *Object) error {
	e.u8(tcObject)
	if err := e.class(o.Class); err != nil {
		return err
	}
	e.things[o] = e.assign()
	if err := o.fits(); err != nil {
		return err
	}
	for i := range o.Data {
		if err := e.classData(&o.Data[i]); err != nil {
			return fmt.Errorf("%s: %w", o.Data[i].Class.Name, err)
		}
	}
	return nil
}

// fits checks that the object has data for each class of its hierarchy, in order.
func (o *Object) fits() error {
	c := o.Class
	for i := len(o.Data) - 1; i >= 0; i-- {
		if c == nil || o.Data[i].Class != c {
			return fmt.Errorf("%w: data of the classes of a %s in the wrong order", ErrInvalidTree, o.Class.Name)
		}
		c = c.Super
		if o.Class.Flags&FlagExternalizable != 0 {
			c = nil // it writes all of its state itself
		}
	}
	if c != nil {
		return fmt.Errorf("%w: a %s without the data of %s", ErrInvalidTree, o.Class.Name, c.Name)
	}
	return nil
}

func (e *encoder) classData(cd *ClassData) error {
	c := cd.Class
	if c.Flags&FlagExternalizable != 0 && c.Flags&FlagBlockData == 0 {
		return fmt.Errorf("%w: Externalizable of stream protocol 1", ErrUnsupported)
	}
	if c.Flags&FlagExternalizable == 0 && c.writesFields() {
		if len(cd.Values) != len(c.Fields) {
			return fmt.Errorf("%w: %d values for %d fields", ErrInvalidTree, len(cd.Values), len(c.Fields))
		}
		for i := range c.Fields {
			if err := e.typed(c.Fields[i].Type, cd.Values[i]); err != nil {
				return fmt.Errorf("%s: %w", c.Fields[i].Name, err)
			}
		}
	} else if len(cd.Values) != 0 {
		return fmt.Errorf("%w: values for a class that writes no fields", ErrInvalidTree)
	}
	if c.annotated() {
		return e.annotation(cd.Annotation)
	}
	if len(cd.Annotation) != 0 {
		return fmt.Errorf("%w: an annotation for a class that writes none", ErrInvalidTree)
	}
	return nil
}

// typed writes a value of the JVM type with this signature.
func (e *encoder) typed(signature string, v Value) error {
	if !Accepts(signature, v) {
		return fmt.Errorf("%w: %T for the type %q", ErrInvalidTree, v, signature)
	}
	switch v := v.(type) {
	case bool:
		if v {
			e.u8(1)
		} else {
			e.u8(0)
		}
	case int8:
		e.u8(byte(v))
	case uint16:
		e.u16(v)
	case int16:
		e.u16(uint16(v))
	case int32:
		e.u32(uint32(v))
	case float32:
		e.u32(math.Float32bits(v))
	case int64:
		e.u64(uint64(v))
	case float64:
		e.u64(math.Float64bits(v))
	default:
		return e.value(v)
	}
	return nil
}

func (e *encoder) annotation(parts []Value) error {
	for _, v := range parts {
		block, ok := v.(Block)
		if !ok {
			if err := e.value(v); err != nil {
				return err
			}
			continue
		}
		switch {
		case len(block) <= math.MaxUint8:
			e.u8(tcBlockData)
			e.u8(byte(len(block)))
		case len(block) <= math.MaxInt32:
			e.u8(tcBlockDataLong)
			e.u32(uint32(len(block)))
		default:
			return fmt.Errorf("%w: a block of %d bytes", ErrInvalidTree, len(block))
		}
		e.b = append(e.b, block...)
	}
	e.u8(tcEndBlockData)
	return nil
}

func (e *encoder) array(a *Array) error {
	e.u8(tcArray)
	if err := e.class(a.Class); err != nil {
		return err
	}
	e.things[a] = e.assign()
	if len(a.Class.Name) < 2 || a.Class.Name[0] != '[' || len(a.Values) > math.MaxInt32 {
		return fmt.Errorf("%w: an array of class %s with %d elements", ErrInvalidTree, a.Class.Name, len(a.Values))
	}
	e.u32(uint32(len(a.Values)))
	for i, v := range a.Values {
		if err := e.typed(a.Class.Name[1:], v); err != nil {
			return fmt.Errorf("element %d of %s: %w", i, a.Class.Name, err)
		}
	}
	return nil
}
