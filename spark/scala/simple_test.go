package scala

import (
	"errors"
	"fmt"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

func class(name string, fields ...javaser.Field) *javaser.ClassDesc {
	return &javaser.ClassDesc{Name: name, SUID: 1, Flags: javaser.FlagSerializable, Fields: fields}
}

func object(c *javaser.ClassDesc, values ...javaser.Value) *javaser.Object {
	return &javaser.Object{Class: c, Data: []javaser.ClassData{{Class: c, Values: values}}}
}

// written is an object that a writeObject method wrote.
func written(name string, annotation ...javaser.Value) *javaser.Object {
	c := class(name)
	return &javaser.Object{Class: c, Data: []javaser.ClassData{{Class: c, Annotation: annotation}}}
}

func boxed(name, signature string, v javaser.Value) *javaser.Object {
	return object(class(name, javaser.Field{Name: "value", Type: signature}), v)
}

// The readers must answer ErrType or ErrContent to anything, never a panic, never a wrong value.
func TestReadersRefuseOtherTypes(t *testing.T) {
	t.Parallel()
	wrong := []javaser.Value{nil, "text", int32(1), true, javaser.Block{1}, object(class("Other")),
		object(class(classInteger)), object(class(classBoolean)), object(class(classSome)), object(class(classModule)),
		object(class(classModule, javaser.Field{Name: "moduleClass", Type: "Ljava/lang/Class;"}), "no class"),
		object(class(classEnumVal)), object(class(classVector)), object(class(classArraySeq)), object(class(classListBuffer)),
		object(class(classProxy)), object(class(classMutableMap)), object(class(classHashMapProxy)), object(class(classKeySet)),
		object(class(classMapPrefix + "3")), object(class(classMapDefault)), object(class(classStreamCons)),
		&javaser.Array{Class: class("[I")}, &javaser.Class{Desc: class("C")}, &javaser.Enum{Class: class("E"), Name: "A"}}
	readers := map[string]func(javaser.Value) error{
		"String":    func(v javaser.Value) error { _, err := String(v); return err },
		"Int":       func(v javaser.Value) error { _, err := Int(v); return err },
		"Long":      func(v javaser.Value) error { _, err := Long(v); return err },
		"Double":    func(v javaser.Value) error { _, err := Double(v); return err },
		"Bool":      func(v javaser.Value) error { _, err := Bool(v); return err },
		"Option":    func(v javaser.Value) error { _, _, err := Option(v); return err },
		"EnumID":    func(v javaser.Value) error { _, err := EnumID(v); return err },
		"Seq":       func(v javaser.Value) error { _, err := Seq(v); return err },
		"Map":       func(v javaser.Value) error { _, err := Map(v); return err },
		"Throwable": func(v javaser.Value) error { _, _, err := Throwable(v); return err },
	}
	fits := map[string]string{"String": "java.lang.String", "Int": "int32", "Long": "int32", "Bool": "bool"}
	for name, read := range readers {
		for _, v := range wrong {
			err := read(v)
			if err == nil && fits[name] == describe(v) {
				continue
			}
			if !errors.Is(err, ErrType) && !errors.Is(err, ErrContent) {
				t.Errorf("%s of %s: %v", name, describe(v), err)
			}
		}
	}
}

func TestUnboxes(t *testing.T) {
	t.Parallel()
	if n, err := Int(boxed(classInteger, "I", int32(7))); n != 7 || err != nil {
		t.Error(n, err)
	}
	if n, err := Long(boxed(classLong, "J", int64(1<<40))); n != 1<<40 || err != nil {
		t.Error(n, err)
	}
	if n, err := Long(boxed(classInteger, "I", int32(-7))); n != -7 || err != nil {
		t.Error(n, err)
	}
	if n, err := Double(boxed(classDouble, "D", 0.5)); n != 0.5 || err != nil {
		t.Error(n, err)
	}
	if b, err := Bool(boxed(classBoolean, "Z", true)); !b || err != nil {
		t.Error(b, err)
	}
	if _, err := Int(boxed(classLong, "J", int64(7))); !errors.Is(err, ErrType) {
		t.Errorf("a Long read as an Int: %v", err)
	}
}

func TestCollectionsThatLie(t *testing.T) {
	t.Parallel()
	array := &javaser.Array{Class: class("[Ljava.lang.Object;"), Values: []javaser.Value{"a", "b"}}
	sized := func(name, sizeField string, n int32) javaser.Value {
		return object(class(name, javaser.Field{Name: sizeField, Type: "I"}, javaser.Field{Name: "array", Type: "[Ljava/lang/Object;"}), n, array)
	}
	seqs := map[string]javaser.Value{
		"list without end":       written(classListProxy, "a"),
		"end in the middle":      written(classListProxy, object(class(classListEnd)), "a"),
		"buffer without block":   written(classListBuffer, "a", object(class(classListEnd))),
		"more than announced":    written(classProxy, size(1), "a", "b"),
		"fewer than announced":   written(classProxy, size(3), "a", "b"),
		"unknown size, no end":   written(classProxy, size(-1), "a", "b"),
		"negative size":          written(classProxy, size(-2), "a", "b"),
		"half a size":            written(classProxy, javaser.Block{0, 0}, "a"),
		"hash set":               written(classHashSet, size(2), "a"),
		"array shorter":          sized(classArraySeq, "length", 3),
		"negative length":        sized(classArrayBuffer, "size0", -1),
		"array is no array":      object(class(classWrapped, javaser.Field{Name: "array", Type: "[Ljava/lang/Object;"}), "x"),
		"stream of itself":       endless(),
		"vector of 2^31 shared":  sharedVector(1<<31 - 1),
		"vector without blocks":  sharedVector(-1),
		"vector with bad bounds": sharedVector(-2),
	}
	for name, v := range seqs {
		if got, err := Seq(v); !errors.Is(err, ErrContent) {
			t.Errorf("%s: %d elements, %v", name, len(got), err)
		}
	}
	pairs := map[string]javaser.Value{
		"odd":                  written(classHashMapProxy, size(1), "k"),
		"negative":             written(classHashMapProxy, size(-1)),
		"another block":        written(classMutableMap, size(1), "k", "v"),
		"fewer than announced": written(classMutableMap, append(make(javaser.Block, 4), 0, 0, 0, 9, 0, 0, 0, 0, 0), "k", "v"),
		"Map2 of three fields": object(class(classMapPrefix+"2", make([]javaser.Field, 3)...), "a", "b", "c"),
	}
	for name, v := range pairs {
		if got, err := Map(v); !errors.Is(err, ErrContent) {
			t.Errorf("%s: %d entries, %v", name, len(got), err)
		}
	}
	if _, err := Map(written(classProxy, size(1), "no tuple")); !errors.Is(err, ErrType) {
		t.Errorf("a proxy without tuples read as a Map: %v", err)
	}
}

func endless() javaser.Value {
	o := object(class(classStreamCons, javaser.Field{Name: "hd", Type: "Ljava/lang/Object;"},
		javaser.Field{Name: "tlVal", Type: "Lscala/collection/immutable/Stream;"}), "x", nil)
	o.Data[0].Values[1] = o
	return o
}

// sharedVector claims to end at an index. All its blocks of a level are the same one: 6 * 32 slots stand for 2^30.
func sharedVector(end int32) javaser.Value {
	c := class(classVector)
	values := []javaser.Value{end, int32(0), int32(0)}
	for _, name := range []string{"endIndex", "focus", "startIndex"} {
		c.Fields = append(c.Fields, javaser.Field{Name: name, Type: "I"})
	}
	if end == -1 {
		values[0] = int32(5)
	}
	var block javaser.Value
	for i := range vectorLevels {
		if end > 0 {
			slots := make([]javaser.Value, 32)
			for j := range slots {
				slots[j] = block
			}
			block = &javaser.Array{Class: class("[Ljava.lang.Object;"), Values: slots}
		}
		c.Fields = append(c.Fields, javaser.Field{Name: fmt.Sprint("display", i), Type: "[Ljava/lang/Object;"})
		values = append(values, block)
	}
	return object(c, values...)
}

// A 2.12 Vector in the middle of an update: the focused block is only known to display0, not to the block above.
func TestDirtyVector(t *testing.T) {
	t.Parallel()
	block := func(values ...javaser.Value) javaser.Value {
		return &javaser.Array{Class: class("[Ljava.lang.Object;"), Values: append(values, make([]javaser.Value, 32-len(values))...)}
	}
	first := make([]javaser.Value, 32)
	for i := range first {
		first[i] = fmt.Sprint("v", i)
	}
	focused := block("v32", "v33")
	c := class(classVector)
	for _, name := range []string{"endIndex", "focus", "startIndex"} {
		c.Fields = append(c.Fields, javaser.Field{Name: name, Type: "I"})
	}
	values := []javaser.Value{int32(34), int32(33), int32(0)}
	for i, b := range []javaser.Value{focused, block(block(first...), nil), nil, nil, nil, nil} {
		c.Fields = append(c.Fields, javaser.Field{Name: fmt.Sprint("display", i), Type: "[Ljava/lang/Object;"})
		values = append(values, b)
	}
	got, err := Strings(object(c, values...))
	if err != nil || len(got) != 34 || got[0] != "v0" || got[31] != "v31" || got[33] != "v33" {
		t.Errorf("got %q, %v", got, err)
	}
}
