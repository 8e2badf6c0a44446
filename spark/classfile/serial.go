package classfile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/firesteel/firesteel/spark/javaser"
)

// SerialFields are the class's default serializable fields (neither static nor transient) in wire order: primitives first,
// then references, each sorted by name (ObjectStreamField.compareTo). A class with serialPersistentFields is ErrNotStatic.
func (c *Class) SerialFields() ([]javaser.Field, error) {
	var fields []javaser.Field
	for _, f := range c.Fields {
		if f.Name == "serialPersistentFields" && f.Static() && f.Final() && f.Private() &&
			f.Descriptor == "[Ljava/io/ObjectStreamField;" {
			return nil, fmt.Errorf("%w: %s has serialPersistentFields", ErrNotStatic, c.Name)
		}
		if f.Access&(accStatic|accTransient) == 0 {
			fields = append(fields, javaser.Field{Name: f.Name, Type: f.Descriptor})
		}
	}
	slices.SortStableFunc(fields, func(a, b javaser.Field) int {
		return cmp.Or(cmp.Compare(fieldRank(a.Type), fieldRank(b.Type)), compareNames(a.Name, b.Name))
	})
	return fields, nil
}

func fieldRank(descriptor string) int {
	if len(descriptor) == 1 {
		return 0 // a primitive
	}
	return 1
}

// hasWriteObject tells whether the class has the method that ObjectOutputStream calls: private, not static,
// void writeObject(java.io.ObjectOutputStream).
func (c *Class) hasWriteObject() bool {
	return slices.ContainsFunc(c.Methods, func(m Member) bool {
		return m.Name == "writeObject" && m.Descriptor == "(Ljava/io/ObjectOutputStream;)V" && m.Private() && !m.Static()
	})
}

// serialKind is what the class hierarchy says about how instances are written.
type serialKind struct {
	serializable   bool // implements java.io.Serializable
	externalizable bool // implements java.io.Externalizable, which wins
	enum           bool // extends java.lang.Enum
	record         bool // extends java.lang.Record
}

// describe builds the descriptor of one class, without its Super, as ObjectStreamClass(Class) does.
func (c *Class) describe(kind serialKind) (*javaser.ClassDesc, error) {
	d := &javaser.ClassDesc{Name: c.Name}
	if kind.enum {
		d.Flags = javaser.FlagSerializable | javaser.FlagEnum // no SUID and no fields: constants travel by name
		return d, nil
	}
	var err error
	if d.SUID, err = c.streamSUID(kind); err != nil {
		return nil, err
	}
	if kind.externalizable {
		d.Flags = javaser.FlagExternalizable | javaser.FlagBlockData // writes itself: no fields (protocol version 2)
		return d, nil
	}
	d.Flags = javaser.FlagSerializable
	if c.hasWriteObject() && !kind.record {
		d.Flags |= javaser.FlagWriteMethod
	}
	d.Fields, err = c.SerialFields()
	return d, err
}

func (c *Class) streamSUID(kind serialKind) (int64, error) {
	suid, declared, err := c.DeclaredSUID()
	switch {
	case err != nil:
		return 0, err
	case declared:
		return suid, nil
	case kind.record:
		return 0, nil // a record's default is 0 (specification 1.13)
	}
	return c.DefaultSUID(), nil
}
