package scala

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/firesteel/firesteel/spark/javaser"
)

// Classes resolves the name of a class to its descriptor in one build of Spark, with the descriptors of its
// superclasses. Equal names must give the same pointer: it is what makes a stream describe each class once.
type Classes interface {
	Class(name string) (*javaser.ClassDesc, error)
}

// Dialect is what a peer must be written to: its classes, and the Scala version it is built with, "2.12" or "2.13".
type Dialect interface {
	Classes
	Scala() string
}

// F is a field's name and value.
type F struct {
	Name  string
	Value javaser.Value
}

// Writer builds the values of one message in a dialect. It keeps the first error: ask Err when all is built, and use
// nothing of what was built if there is one. A Writer is not for several goroutines, nor for several messages.
type Writer struct {
	dialect Dialect
	modern  bool // Scala 2.13
	err     error
	modules map[string]javaser.Value // singletons are objects that occur once
}

// NewWriter returns a Writer; a dialect that is neither 2.12 nor 2.13 shows as ErrDialect in Err.
func NewWriter(d Dialect) *Writer {
	w := &Writer{dialect: d}
	switch version := d.Scala(); version {
	case "2.12":
	case "2.13":
		w.modern = true
	default:
		w.err = fmt.Errorf("write for Scala %q: %w", version, ErrDialect)
	}
	return w
}

// Err is the first error of all that was built.
func (w *Writer) Err() error { return w.err }

func (w *Writer) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

// class resolves a name; nil after an error.
func (w *Writer) class(name string) *javaser.ClassDesc {
	if w.err != nil {
		return nil
	}
	c, err := w.dialect.Class(name)
	if err != nil {
		w.err = fmt.Errorf("class %s for Scala %s: %w", name, w.dialect.Scala(), err)
		return nil
	}
	return c
}

// Object makes an instance of a class with some of its fields; the others are zero.
func (w *Writer) Object(class string, fields ...F) javaser.Value {
	c := w.class(class)
	if c == nil {
		return nil
	}
	o := javaser.New(c)
	for _, f := range fields {
		if err := o.Set(f.Name, f.Value); err != nil {
			w.note(err)
			return nil
		}
	}
	return o
}

// annotated is Object for a class whose writeObject adds something.
func (w *Writer) annotated(class string, annotation []javaser.Value, fields ...F) javaser.Value {
	v := w.Object(class, fields...)
	if o, ok := v.(*javaser.Object); ok {
		o.Data[len(o.Data)-1].Annotation = annotation
	}
	return v
}

// Array makes an array of an array class such as "[Ljava.lang.String;".
func (w *Writer) Array(class string, values ...javaser.Value) javaser.Value {
	c := w.class(class)
	if c == nil {
		return nil
	}
	return &javaser.Array{Class: c, Values: values}
}

// Constant makes a constant of a java.lang.Enum class.
func (w *Writer) Constant(class, name string) javaser.Value {
	c := w.class(class)
	if c == nil {
		return nil
	}
	return &javaser.Enum{Class: c, Name: name}
}

// Singleton makes the instance of a Scala object; class is its class, which ends with "$".
func (w *Writer) Singleton(class string) javaser.Value {
	if v, ok := w.modules[class]; ok {
		return v
	}
	var v javaser.Value
	if w.modern {
		if c := w.class(class); c != nil {
			v = w.Object(classModule, F{"moduleClass", &javaser.Class{Desc: c}})
		}
	} else {
		v = w.Object(class) // its readResolve replaces it, whatever its fields say
	}
	if w.modules == nil {
		w.modules = make(map[string]javaser.Value, 4)
	}
	w.modules[class] = v
	return v
}

// None writes the empty Option.
func (w *Writer) None() javaser.Value { return w.Singleton(classNone) }

// Some writes an Option that holds v; v must be a reference type (box an Int with w.Int).
func (w *Writer) Some(v javaser.Value) javaser.Value { return w.Object(classSome, F{"value", v}) }

// Option writes Some(v), or None for a null.
func (w *Writer) Option(v javaser.Value) javaser.Value {
	if v == nil {
		return w.None()
	}
	return w.Some(v)
}

// Int writes a java.lang.Integer, which is what an Int in a collection or an Option is.
func (w *Writer) Int(n int32) javaser.Value { return w.Object(classInteger, F{"value", n}) }

// Bool writes a java.lang.Boolean.
func (w *Writer) Bool(b bool) javaser.Value { return w.Object(classBoolean, F{"value", b}) }

// EnumValue writes the value of a scala.Enumeration with an id; class is that of the enumeration, such as
// "org.apache.spark.deploy.ExecutorState$". Only the id counts for the receiver: it looks it up in its own enumeration.
func (w *Writer) EnumValue(class string, id int32) javaser.Value {
	outer := w.Singleton(class)
	return w.Object(classEnumVal, F{"$outer", outer}, F{"scala$Enumeration$$outerEnum", outer}, F{"i", id})
}

// List writes a List, which any Seq field takes.
func (w *Writer) List(values ...javaser.Value) javaser.Value {
	if w.modern {
		return w.proxy(w.Object(classSeqFactory, F{"factory", w.Singleton(classList)}), values)
	}
	parts := make([]javaser.Value, 0, len(values)+1)
	parts = append(append(parts, values...), w.Singleton(classListEnd))
	return w.annotated(classListProxy, parts)
}

// Strings writes a List[String].
func (w *Writer) Strings(values []string) javaser.Value {
	list := make([]javaser.Value, len(values))
	for i, s := range values {
		list[i] = s
	}
	return w.List(list...)
}

// proxy writes the 2.13 form of a collection: how to make it, the number of elements, the elements.
func (w *Writer) proxy(factory javaser.Value, values []javaser.Value) javaser.Value {
	parts := make([]javaser.Value, 0, len(values)+1)
	parts = append(append(parts, size(len(values))), values...)
	return w.annotated(classProxy, parts, F{"factory", factory})
}

func size(n int) javaser.Block { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// Map writes an immutable Map. Keys must be distinct.
func (w *Writer) Map(pairs []Pair) javaser.Value {
	const largestSmall = 4
	switch n := len(pairs); {
	case n == 0:
		return w.Singleton(classEmptyMap)
	case n <= largestSmall:
		return w.smallMap(pairs)
	case w.modern:
		tuples := make([]javaser.Value, n)
		for i, p := range pairs {
			tuples[i] = w.Object(classTuple2, F{"_1", p.Key}, F{"_2", p.Value})
		}
		return w.proxy(w.Object(classMapFactory, F{"factory", w.Singleton(classHashMap)}), tuples)
	default:
		parts := make([]javaser.Value, 0, 1+2*n)
		parts = append(parts, size(n))
		for _, p := range pairs {
			parts = append(parts, p.Key, p.Value)
		}
		return w.annotated(classHashMapProxy, parts)
	}
}

// smallMap writes Map1 to Map4. The names of their fields differ between the dialects, their order does not: all keys,
// then all values.
func (w *Writer) smallMap(pairs []Pair) javaser.Value {
	n := len(pairs)
	v := w.Object(classMapPrefix + strconv.Itoa(n))
	o, ok := v.(*javaser.Object)
	if !ok {
		return nil
	}
	values := o.Data[len(o.Data)-1].Values
	if len(values) != 2*n {
		w.note(content(o, "with another number of fields"))
		return nil
	}
	for i, p := range pairs {
		values[i], values[n+i] = p.Key, p.Value
	}
	return o
}
