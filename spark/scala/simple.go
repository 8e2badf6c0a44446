package scala

import "github.com/firesteel/firesteel/spark/javaser"

// String reads a java.lang.String; null is an error.
func String(v javaser.Value) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", mismatch("String", v)
}

// Int reads an int, or a java.lang.Integer.
func Int(v javaser.Value) (int32, error) {
	if n, ok := unbox(v, classInteger).(int32); ok {
		return n, nil
	}
	return 0, mismatch("Int", v)
}

// Long reads a long or an int, boxed or not.
func Long(v javaser.Value) (int64, error) {
	switch n := unbox(v, classLong).(type) {
	case int64:
		return n, nil
	case int32:
		return int64(n), nil
	}
	if n, ok := unbox(v, classInteger).(int32); ok {
		return int64(n), nil
	}
	return 0, mismatch("Long", v)
}

// Double reads a double, boxed or not.
func Double(v javaser.Value) (float64, error) {
	if n, ok := unbox(v, classDouble).(float64); ok {
		return n, nil
	}
	return 0, mismatch("Double", v)
}

// Bool reads a boolean, or a java.lang.Boolean.
func Bool(v javaser.Value) (bool, error) {
	if b, ok := unbox(v, classBoolean).(bool); ok {
		return b, nil
	}
	return false, mismatch("Boolean", v)
}

// unbox returns the value of a boxed primitive of the class, and anything else as it is.
func unbox(v javaser.Value, class string) javaser.Value {
	o, ok := v.(*javaser.Object)
	if !ok || o.Class.Name != class {
		return v
	}
	inner, _ := o.Get("value")
	return inner
}

// ClassOf is the name of an object's class as the program sees it: of a singleton object that 2.13 wrote, the
// singleton's class. It is "" for what is no object.
func ClassOf(v javaser.Value) string {
	o, ok := v.(*javaser.Object)
	if !ok || o == nil {
		return ""
	}
	if o.Class.Name == classModule {
		if m, _ := o.Get("moduleClass"); m != nil {
			if c, ok := m.(*javaser.Class); ok {
				return c.Desc.Name
			}
		}
	}
	return o.Class.Name
}

// Option reads an Option; the bool tells a Some from a None. A null is an error, as it would be in Scala.
func Option(v javaser.Value) (javaser.Value, bool, error) {
	switch ClassOf(v) {
	case classNone:
		return nil, false, nil
	case classSome:
		if inner, ok := v.(*javaser.Object).Get("value"); ok {
			return inner, true, nil
		}
	}
	return nil, false, mismatch("Option", v)
}

// EnumID reads the id of a scala.Enumeration value. Of what enumeration it is, is not looked at: 2.12 ships the whole
// enumeration with each value, and the field that a value stands in tells it anyway.
func EnumID(v javaser.Value) (int32, error) {
	o, ok := v.(*javaser.Object)
	if !ok || o.Class.Name != classEnumVal {
		return 0, mismatch("Enumeration value", v)
	}
	id, _ := o.Get("i")
	n, ok := id.(int32)
	if !ok {
		return 0, content(o, "without an id")
	}
	return n, nil
}
