package javaser

import (
	"fmt"
	"math"
)

// class writes a descriptor, a reference to it, or null for nil.
func (e *encoder) class(c *ClassDesc) error {
	if c == nil {
		e.u8(tcNull)
		return nil
	}
	if handle, known := e.classes[c]; known {
		e.reference(handle)
		return nil
	}
	if e.depth >= maxEncodeDepth {
		return fmt.Errorf("superclasses: %w: %d", ErrTooDeep, maxEncodeDepth)
	}
	e.depth++
	defer func() { e.depth-- }()
	if len(c.Fields) > math.MaxUint16 {
		return fmt.Errorf("%w: class %s has %d fields", ErrInvalidTree, c.Name, len(c.Fields))
	}
	e.u8(tcClassDesc)
	if err := e.name(c.Name); err != nil {
		return err
	}
	e.u64(uint64(c.SUID))
	e.classes[c] = e.assign()
	e.u8(c.Flags)
	e.u16(uint16(len(c.Fields)))
	for i := range c.Fields {
		if err := e.field(&c.Fields[i]); err != nil {
			return fmt.Errorf("descriptor of %s: %w", c.Name, err)
		}
	}
	if err := e.annotation(c.Annotation); err != nil {
		return fmt.Errorf("descriptor of %s: %w", c.Name, err)
	}
	return e.class(c.Super)
}

func (e *encoder) field(f *Field) error {
	if width(f.Type) == 0 {
		return fmt.Errorf("%w: field %s of type %q", ErrInvalidTree, f.Name, f.Type)
	}
	e.u8(f.Type[0])
	if err := e.name(f.Name); err != nil {
		return err
	}
	if primitive(f.Type[0]) == "" {
		e.str(f.Type)
	}
	return nil
}

// name writes a short string that is no object.
func (e *encoder) name(s string) error {
	start := len(e.b)
	e.u16(0)
	e.b = appendUTF(e.b, s)
	n := len(e.b) - start - 2
	if n > math.MaxUint16 {
		return fmt.Errorf("%w: a name of %d bytes", ErrInvalidTree, n)
	}
	e.b[start], e.b[start+1] = byte(n>>8), byte(n)
	return nil
}
