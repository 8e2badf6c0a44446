package javaser

import "fmt"

// classDesc reads a class descriptor, a reference to one, or null (nil).
func (d *decoder) classDesc() (*ClassDesc, error) {
	tc, err := d.u8()
	if err != nil {
		return nil, err
	}
	switch tc {
	case tcNull:
		return nil, nil
	case tcReference:
		h, err := d.handle()
		if err != nil {
			return nil, err
		}
		c, ok := h.(*ClassDesc)
		if !ok {
			return nil, fmt.Errorf("%w: a reference to %T where a class descriptor is due", ErrMalformed, h)
		}
		return c, nil
	case tcClassDesc:
		return d.newClassDesc()
	case tcProxyClassDesc:
		return nil, fmt.Errorf("%w: dynamic proxy class", ErrUnsupported)
	}
	return nil, fmt.Errorf("%w: type code 0x%02x where a class descriptor is due", ErrMalformed, tc)
}

func (d *decoder) newClassDesc() (*ClassDesc, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	name, err := d.name()
	if err != nil {
		return nil, err
	}
	suid, err := d.u64()
	if err != nil {
		return nil, err
	}
	handle := len(d.handles)
	if err := d.assign(pending{}); err != nil {
		return nil, err
	}
	c := &ClassDesc{Name: name, SUID: int64(suid)}
	if c.Flags, err = d.u8(); err != nil {
		return nil, err
	}
	if err := d.fieldDescs(c); err != nil {
		return nil, fmt.Errorf("descriptor of %s: %w", name, err)
	}
	if c.Annotation, err = d.annotation(); err != nil {
		return nil, fmt.Errorf("descriptor of %s: %w", name, err)
	}
	if c.Super, err = d.classDesc(); err != nil {
		return nil, fmt.Errorf("superclass of %s: %w", name, err)
	}
	if c.Super.height() >= d.lim.MaxDepth {
		return nil, fmt.Errorf("superclasses of %s: %w", name, ErrTooDeep)
	}
	d.handles[handle] = c
	return c, nil
}

func (d *decoder) fieldDescs(c *ClassDesc) error {
	n, err := d.u16()
	if err != nil {
		return err
	}
	const smallest = 3 // a type code and the length of an empty name
	if err := d.claim(int(n), smallest); err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	c.Fields = make([]Field, n)
	for i := range c.Fields {
		if err := d.fieldDesc(&c.Fields[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) fieldDesc(f *Field) error {
	t, err := d.u8()
	if err != nil {
		return err
	}
	if f.Name, err = d.name(); err != nil {
		return err
	}
	switch t {
	case 'L', '[':
		if f.Type, err = d.stringValue(); err != nil {
			return err
		}
		if f.Type == "" || f.Type[0] != t {
			return fmt.Errorf("%w: field %s of type %q, announced as %q", ErrMalformed, f.Name, f.Type, t)
		}
	default:
		if f.Type = primitive(t); f.Type == "" {
			return fmt.Errorf("%w: field %s of type code %q", ErrMalformed, f.Name, t)
		}
	}
	return nil
}

// primitive is the signature of a primitive type, without making a new string of it.
func primitive(t byte) string {
	switch t {
	case 'B':
		return "B"
	case 'C':
		return "C"
	case 'D':
		return "D"
	case 'F':
		return "F"
	case 'I':
		return "I"
	case 'J':
		return "J"
	case 'S':
		return "S"
	case 'Z':
		return "Z"
	}
	return ""
}

// name reads a short string that is no object: the name of a class or a field.
func (d *decoder) name() (string, error) {
	n, err := d.u16()
	if err != nil {
		return "", err
	}
	raw, err := d.take(uint64(n))
	if err != nil {
		return "", err
	}
	if s, known := d.names[string(raw)]; known {
		return s, nil
	}
	s, err := decodeUTF(raw)
	if err != nil || len(raw) > maxNameLength {
		return s, err
	}
	if len(d.names) >= maxNames {
		clear(d.names)
	}
	d.names[string(raw)] = s
	return s, nil
}
