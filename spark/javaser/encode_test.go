package javaser

import (
	"errors"
	"reflect"
	"testing"
)

func pointClass() *ClassDesc {
	base := &ClassDesc{Name: "Base", SUID: 1, Flags: FlagSerializable, Fields: []Field{{"id", "J"}, {"name", "Ljava/lang/String;"}}}
	return &ClassDesc{Name: "Point", SUID: 2, Flags: FlagSerializable, Super: base,
		Fields: []Field{{"x", "I"}, {"y", "I"}, {"name", "Ljava/lang/String;"}, {"next", "LPoint;"}}}
}

func TestNewGetSet(t *testing.T) {
	t.Parallel()
	o := New(pointClass())
	want := [][]Value{{int64(0), nil}, {int32(0), int32(0), nil, nil}}
	for i, values := range want {
		if !reflect.DeepEqual(o.Data[i].Values, values) {
			t.Errorf("%s starts as %#v", o.Data[i].Class.Name, o.Data[i].Values)
		}
	}
	for name, v := range map[string]Value{"x": int32(5), "id": int64(9), "name": "sub", "next": o} {
		if err := o.Set(name, v); err != nil {
			t.Error(err)
		}
		if got, ok := o.Get(name); !ok || got != v {
			t.Errorf("%s is %v, %v", name, got, ok)
		}
	}
	if o.Data[0].Values[1] != nil {
		t.Error("the superclass's field of the same name was set")
	}
	if _, ok := o.Get("z"); ok {
		t.Error("got a field that is not there")
	}
	if err := o.Set("z", nil); !errors.Is(err, ErrNoField) {
		t.Errorf("set an unknown field: %v", err)
	}
	if err := o.Set("x", "5"); !errors.Is(err, ErrInvalidTree) {
		t.Errorf("set an int to a string: %v", err)
	}
	if again := mustDecode(t, mustEncode(t, o)); !Equal(o, again) {
		t.Errorf("came back as %s", Format(again))
	}
}

func TestEncodeSharesHandles(t *testing.T) {
	t.Parallel()
	class := &ClassDesc{Name: "[Ljava.lang.Object;", SUID: 3, Flags: FlagSerializable}
	o := New(pointClass())
	shared := &Array{Class: class, Values: []Value{o, o, "text", "text", New(o.Class)}}
	const reference, null = 5, 1
	single := len(mustEncode(t, &Array{Class: class, Values: []Value{o, nil, "text", nil, nil}}))
	fields := 8 + 4 + 4 + 3*null // what a Point writes
	if got, want := len(mustEncode(t, shared)), single-3*null+reference+reference+1+reference+fields; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	again := mustDecode(t, mustEncode(t, shared)).(*Array)
	if again.Values[0] != again.Values[1] || again.Values[0] == again.Values[4] {
		t.Errorf("identities were lost: %s", Format(again))
	}
}

func TestEncodeRefusesInvalidTrees(t *testing.T) {
	t.Parallel()
	class := pointClass()
	array := &ClassDesc{Name: "[I", Flags: FlagSerializable}
	short := New(class)
	short.Data[1].Values = short.Data[1].Values[:1]
	extra := New(class)
	extra.Data[1].Annotation = []Value{"x"}
	orphan := New(class)
	orphan.Data = orphan.Data[1:]
	swapped := New(class)
	swapped.Data[0], swapped.Data[1] = swapped.Data[1], swapped.Data[0]
	wrong := New(class)
	wrong.Data[1].Values[0] = "text"
	trees := map[string]Value{
		"a bare int":             int32(1),
		"a block":                Block{1},
		"a type of its own":      struct{}{},
		"nil object":             (*Object)(nil),
		"object without class":   &Object{},
		"array without class":    &Array{},
		"enum without class":     &Enum{Name: "A"},
		"class without desc":     &Class{},
		"int in an object array": &Array{Class: &ClassDesc{Name: "[LA;"}, Values: []Value{int32(1)}},
		"text in an int array":   &Array{Class: array, Values: []Value{"x"}},
		"array of a plain class": &Array{Class: class},
		"values missing":         short,
		"unwanted annotation":    extra,
		"superclass missing":     orphan,
		"wrong order":            swapped,
		"wrong type":             wrong,
		"field without a type":   New(&ClassDesc{Name: "A", Flags: FlagSerializable, Fields: []Field{{"f", ""}}}),
		"name of 70000 bytes":    New(&ClassDesc{Name: string(make([]byte, 70_000)), Flags: FlagSerializable}),
	}
	for name, v := range trees {
		if b, err := Encode(v); !errors.Is(err, ErrInvalidTree) || b != nil {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	loop := &ClassDesc{Name: "Loop", Flags: FlagSerializable}
	loop.Super = loop
	if _, err := Encode(&Object{Class: loop, Data: []ClassData{{Class: loop}}}); !errors.Is(err, ErrInvalidTree) {
		t.Errorf("a class that is its own superclass: %v", err)
	}
	if b := mustEncode(t, "still works"); mustDecode(t, b) != "still works" {
		t.Error("an encoder was left dirty")
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	got, err := Append([]byte("head"), "x")
	if err != nil || string(got[:4]) != "head" || mustDecode(t, got[4:]) != "x" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := Append([]byte("head"), int32(1)); err == nil || string(got) != "head" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestVisitClassesMeetsEachOnce(t *testing.T) {
	t.Parallel()
	enum := &ClassDesc{Name: "E", Flags: FlagSerializable | FlagEnum}
	module := &ClassDesc{Name: "M$", Flags: FlagSerializable}
	o := New(pointClass())
	list := &Array{Class: &ClassDesc{Name: "[LObject;", Flags: FlagSerializable},
		Values: []Value{o, o, &Enum{enum, "A"}, &Class{module}, &Enum{enum, "B"}}}
	counts := map[string]int{}
	VisitClasses(list, func(c *ClassDesc) { counts[c.Name]++ })
	want := map[string]int{"Point": 1, "Base": 1, "E": 1, "M$": 1, "[LObject;": 1}
	if !reflect.DeepEqual(counts, want) {
		t.Errorf("got %v", counts)
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, stream := range vectors(b) {
		if name != "captures/3.5.7/0003_RegisterWorker.ser" && name != "captures/3.5.7/0012_LaunchExecutor.ser" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Decode(stream, Limits{})
			}
		})
		v := mustDecode(b, stream)
		b.Run("Encode "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Encode(v)
			}
		})
	}
}
