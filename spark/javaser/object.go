package javaser

import "fmt"

// New makes an object of the class with every field at its type's zero: 0, false or null, as the JVM does before a
// constructor runs.
func New(class *ClassDesc) *Object {
	o := &Object{Class: class, Data: make([]ClassData, class.levels())}
	for c, i := class, len(o.Data)-1; i >= 0; c, i = c.Super, i-1 {
		o.Data[i].Class = c
		if c.Flags&FlagExternalizable != 0 || !c.writesFields() || len(c.Fields) == 0 {
			continue
		}
		o.Data[i].Values = make([]Value, len(c.Fields))
		for j := range c.Fields {
			o.Data[i].Values[j] = zero(c.Fields[j].Type)
		}
	}
	return o
}

func zero(signature string) Value {
	switch signature {
	case "B":
		return int8(0)
	case "C":
		return uint16(0)
	case "D":
		return float64(0)
	case "F":
		return float32(0)
	case "I":
		return int32(0)
	case "J":
		return int64(0)
	case "S":
		return int16(0)
	case "Z":
		return false
	}
	return nil
}

// Get returns the value of a field. Where a superclass has a field of the same name, the subclass's counts.
func (o *Object) Get(name string) (Value, bool) {
	if slot := o.slot(name); slot.value != nil {
		return *slot.value, true
	}
	return nil, false
}

// Set gives a field a value. It returns ErrNoField for a name that no class of the object has, and ErrInvalidTree for a
// value that does not fit the field's type. References are only checked to be references: the classes of a stream are
// not known.
func (o *Object) Set(name string, v Value) error {
	slot := o.slot(name)
	if slot.value == nil {
		return fmt.Errorf("set %s of %s: %w", name, o.Class.Name, ErrNoField)
	}
	if !Accepts(slot.field.Type, v) {
		return fmt.Errorf("set %s of %s: %w: %T for the type %q", name, o.Class.Name, ErrInvalidTree, v, slot.field.Type)
	}
	*slot.value = v
	return nil
}

// slot is the place of a field's value.
type slot struct {
	field *Field
	value *Value
}

func (o *Object) slot(name string) slot {
	for i := len(o.Data) - 1; i >= 0; i-- {
		cd := &o.Data[i]
		for j := range cd.Values {
			if j < len(cd.Class.Fields) && cd.Class.Fields[j].Name == name {
				return slot{&cd.Class.Fields[j], &cd.Values[j]}
			}
		}
	}
	return slot{}
}

// Annotation returns what the writeObject method of the object's own class added.
func (o *Object) Annotation() []Value {
	if len(o.Data) == 0 {
		return nil
	}
	return o.Data[len(o.Data)-1].Annotation
}

// Accepts tells whether v can be the value of a field or array element of the JVM type with this signature.
func Accepts(signature string, v Value) bool {
	if signature == "" {
		return false
	}
	var ok bool
	switch signature[0] {
	case 'B':
		_, ok = v.(int8)
	case 'C':
		_, ok = v.(uint16)
	case 'D':
		_, ok = v.(float64)
	case 'F':
		_, ok = v.(float32)
	case 'I':
		_, ok = v.(int32)
	case 'J':
		_, ok = v.(int64)
	case 'S':
		_, ok = v.(int16)
	case 'Z':
		_, ok = v.(bool)
	case 'L', '[':
		switch v.(type) {
		case nil, string, *Object, *Array, *Enum, *Class:
			ok = true
		}
	}
	return ok
}
