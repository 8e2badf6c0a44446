package javaser

import (
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// cyclic is a Throwable-like object whose cause is itself.
func cyclic() *raw {
	return stream().bytes(tcObject).class("T", FlagSerializable, 1).bytes('L').utf("cause").str("LT;").
		bytes(tcEndBlockData, tcNull).ref(2)
}

func TestDecodeCyclicGraph(t *testing.T) {
	t.Parallel()
	v := mustDecode(t, cyclic().b)
	o := v.(*Object)
	if cause, _ := o.Get("cause"); cause != v {
		t.Fatalf("cause is %v, not the object itself", cause)
	}
	if got := Format(v); !strings.Contains(got, "<ref #0 T>") {
		t.Errorf("printed as %s", got)
	}
	again := mustDecode(t, mustEncode(t, v))
	if !Equal(v, again) {
		t.Error("the cycle was lost on the way")
	}
	open := New(o.Class)
	if Equal(v, open) {
		t.Error("a cycle equals an object without one")
	}
}

func TestDecodeEveryPrimitive(t *testing.T) {
	t.Parallel()
	const types = "BCDFIJSZ"
	r := stream().bytes(tcObject).class("P", FlagSerializable, len(types))
	for _, c := range types {
		r.bytes(byte(c)).utf(string(c))
	}
	r.bytes(tcEndBlockData, tcNull)
	r.bytes(0xFF).u16(0xFFFE).u64(math.Float64bits(-1.5)).u32(math.Float32bits(2.5)).u32(0xFFFFFFFF).u64(1 << 63).u16(0x8000).bytes(1)
	v := mustDecode(t, r.b)
	want := []Value{int8(-1), uint16(0xFFFE), -1.5, float32(2.5), int32(-1), int64(math.MinInt64), int16(math.MinInt16), true}
	if got := v.(*Object).Data[0].Values; !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
	if again := mustDecode(t, mustEncode(t, v)); !Equal(v, again) {
		t.Error("changed on the way")
	}
}

func TestDecodeArrays(t *testing.T) {
	t.Parallel()
	r := stream().bytes(tcArray).plain("[[S", FlagSerializable).u32(3)
	r.bytes(tcArray).plain("[S", FlagSerializable).u32(2).u16(1).u16(0xFFFF)
	r.bytes(tcNull).ref(3)
	a := mustDecode(t, r.b).(*Array)
	inner := a.Values[0].(*Array)
	if !reflect.DeepEqual(inner.Values, []Value{int16(1), int16(-1)}) || a.Values[1] != nil || a.Values[2] != Value(inner) {
		t.Errorf("got %s", Format(a))
	}
}

func TestDecodeExternalizable(t *testing.T) {
	t.Parallel()
	r := stream().bytes(tcObject).class("Ext", FlagExternalizable|FlagBlockData, 0).bytes(tcEndBlockData).plain("Super", FlagSerializable)
	r.bytes(tcBlockData, 2, 7, 8).str("s").bytes(tcEndBlockData)
	v := mustDecode(t, r.b)
	o := v.(*Object)
	if want := []Value{Block{7, 8}, "s"}; len(o.Data) != 1 || !reflect.DeepEqual(o.Annotation(), want) {
		t.Errorf("got %s", Format(v))
	}
	if !Equal(v, mustDecode(t, mustEncode(t, v))) {
		t.Error("changed on the way")
	}
}

func TestDecodeResetBeforeTheObject(t *testing.T) {
	t.Parallel()
	if v := mustDecode(t, stream().bytes(tcReset, tcReset).str("a").b); v != "a" {
		t.Errorf("got %v", v)
	}
}

// Only the scala 2.12 class writes no fields: the rule must not hit a class that just has its name.
func TestBareWriterIsToldBySUID(t *testing.T) {
	t.Parallel()
	r := stream().bytes(tcObject).class("scala.collection.mutable.ListBuffer", FlagSerializable|FlagWriteMethod, 1)
	r.bytes('I').utf("len").bytes(tcEndBlockData, tcNull).u32(3).bytes(tcEndBlockData)
	o := mustDecode(t, r.b).(*Object)
	if n, ok := o.Get("len"); !ok || n != int32(3) {
		t.Errorf("len is %v", n)
	}
}

func TestStringsAreLossless(t *testing.T) {
	t.Parallel()
	streams := map[string]string{ // modified UTF-8 to Go
		"plain":                                "plain",
		"gr\u00fc\u00df \u4e16":                "gr\u00fc\u00df \u4e16",
		"a\xC0\x80b":                           "a\x00b",
		"\xED\xA0\xBD\xED\xB8\x80":             "\U0001F600",
		"\xED\xA0\xBDx":                        "\xED\xA0\xBDx", // a lone high surrogate
		"\xED\xB8\x80\xED\xA0\xBD":             "\xED\xB8\x80\xED\xA0\xBD",
		"\xED\xA0\xBD\xED\xA0\xBD\xED\xB8\x80": "\xED\xA0\xBD\U0001F600",
	}
	for wire, want := range streams {
		v := mustDecode(t, stream().bytes(tcString).utf(wire).b)
		if v != want {
			t.Errorf("% x read as %q, want %q", wire, v, want)
		}
		if got := mustEncode(t, v); string(got[7:]) != wire {
			t.Errorf("%q written as % x, want % x", want, got[7:], wire)
		}
	}
	if got := mustDecode(t, mustEncode(t, "a\xFFb")); got != "a\uFFFDb" {
		t.Errorf("invalid UTF-8 came back as %q", got)
	}
	for _, n := range []int{math.MaxUint16, math.MaxUint16 + 1, 200_000} {
		s := strings.Repeat("x", n)
		if mustDecode(t, mustEncode(t, s)) != s {
			t.Errorf("a string of %d bytes was lost", n)
		}
	}
	long := strings.Repeat("\x00", 40_000) // fits 16 bits in Go, not on the wire
	if mustDecode(t, mustEncode(t, long)) != long {
		t.Error("a string that grows past 65535 bytes was lost")
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	all := vectors(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for name, b := range all {
				v, err := Decode(b, Limits{})
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				again, err := Encode(v)
				if err != nil || len(again) == 0 {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
}
