package javaser

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
)

func TestDecodeRefusesHostileStreams(t *testing.T) {
	t.Parallel()
	const ser, annotated = FlagSerializable, FlagSerializable | FlagWriteMethod
	cases := map[string]struct {
		in   *raw
		want error
	}{
		"empty":                     {&raw{}, ErrTruncated},
		"half a header":             {&raw{[]byte{0xAC, 0xED}}, ErrTruncated},
		"no header":                 {&raw{[]byte("GET / HTTP/1.1")}, ErrMalformed},
		"another version":           {(&raw{[]byte{0xAC, 0xED, 0, 4}}).bytes(tcNull), ErrMalformed},
		"header only":               {stream(), ErrTruncated},
		"two objects":               {stream().bytes(tcNull, tcNull), ErrTrailing},
		"unknown type code":         {stream().bytes(0x7F), ErrMalformed},
		"end of block as a value":   {stream().bytes(tcEndBlockData), ErrMalformed},
		"exception":                 {stream().bytes(tcException), ErrUnsupported},
		"class descriptor as value": {stream().plain("A", ser), ErrUnsupported},
		"reference to nothing":      {stream().ref(0), ErrMalformed},
		"handle below the base":     {stream().bytes(tcReference).u32(0), ErrMalformed},
		"reference to a descriptor": {stream().bytes(tcArray).plain("[Ljava.lang.Object;", ser).u32(1).ref(0), ErrUnsupported},
		"string longer than input":  {stream().bytes(tcString).u16(9).bytes('a'), ErrTruncated},
		"long string of 2^62":       {stream().bytes(tcLongString).u64(1 << 62), ErrTruncated},
		"long string of -1":         {stream().bytes(tcLongString).u64(math.MaxUint64), ErrTruncated},
		"bad modified UTF-8":        {stream().bytes(tcString).u16(2).bytes(0xC3, 'x'), ErrMalformed},
		"four byte UTF-8":           {stream().str("\U0001F600"), ErrMalformed},
		"array of 2^31-1":           {stream().bytes(tcArray).plain("[B", ser).u32(math.MaxInt32), ErrTruncated},
		"array of -1":               {stream().bytes(tcArray).plain("[B", ser).u32(math.MaxUint32), ErrMalformed},
		"long array cut short":      {stream().bytes(tcArray).plain("[J", ser).u32(3).u64(1).u64(2), ErrTruncated},
		"array of no array class":   {stream().bytes(tcArray).plain("java.lang.String", ser).u32(0), ErrMalformed},
		"array of unknown type":     {stream().bytes(tcArray).plain("[Q", ser).u32(0), ErrMalformed},
		"array without a class":     {stream().bytes(tcArray, tcNull), ErrMalformed},
		"object without a class":    {stream().bytes(tcObject, tcNull), ErrMalformed},
		"object of an enum class":   {stream().bytes(tcObject).plain("E", ser|FlagEnum), ErrMalformed},
		"class without descriptor":  {stream().bytes(tcClass, tcNull), ErrMalformed},
		"enum without a class":      {stream().bytes(tcEnum, tcNull).str("A"), ErrMalformed},
		"enum with a null name":     {stream().bytes(tcEnum).plain("E", ser|FlagEnum).bytes(tcNull), ErrMalformed},
		"enum named by an enum":     {stream().bytes(tcEnum).plain("E", ser|FlagEnum).ref(1), ErrMalformed},
		"65535 fields, no bytes":    {stream().bytes(tcObject).class("A", ser, math.MaxUint16), ErrTruncated},
		"field of unknown type":     {stream().bytes(tcObject).class("A", ser, 1).bytes('V').utf("f"), ErrMalformed},
		"field type contradicts":    {stream().bytes(tcObject).class("A", ser, 1).bytes('L').utf("f").str("[I"), ErrMalformed},
		"field of empty type":       {stream().bytes(tcObject).class("A", ser, 1).bytes('L').utf("f").str(""), ErrMalformed},
		"proxy class":               {stream().bytes(tcObject, tcProxyClassDesc).u32(0), ErrUnsupported},
		"its own superclass":        {stream().bytes(tcObject).class("A", ser, 0).bytes(tcEndBlockData).ref(0), ErrMalformed},
		"descriptor not yet done":   {stream().bytes(tcObject).class("A", ser, 0).bytes(tcObject).ref(0), ErrMalformed},
		"superclass is a string":    {stream().bytes(tcObject).class("A", ser, 0).str("x").bytes(tcEndBlockData).ref(1), ErrMalformed},
		"annotation without end":    {stream().bytes(tcObject).plain("A", annotated).bytes(tcBlockData, 1, 1), ErrTruncated},
		"block longer than input":   {stream().bytes(tcObject).plain("A", annotated).bytes(tcBlockDataLong).u32(math.MaxInt32), ErrTruncated},
		"block of -1":               {stream().bytes(tcObject).plain("A", annotated).bytes(tcBlockDataLong).u32(math.MaxUint32), ErrTruncated},
		"block outside annotation":  {stream().bytes(tcBlockData, 1, 1), ErrMalformed},
		"old externalizable":        {stream().bytes(tcObject).plain("A", FlagExternalizable), ErrUnsupported},
	}
	for name, c := range cases {
		if v, err := Decode(c.in.b, Limits{}); !errors.Is(err, c.want) || v != nil {
			t.Errorf("%s: %v, %v; want %v", name, v, err, c.want)
		}
	}
}

func TestDecodeStopsAtTheDepthLimit(t *testing.T) {
	t.Parallel()
	const ser = FlagSerializable
	towers := map[string]func(n int) []byte{
		"arrays in arrays": func(n int) []byte {
			r := stream().bytes(tcArray).plain("[Ljava.lang.Object;", ser).u32(1)
			for range n {
				r.bytes(tcArray).ref(0).u32(1)
			}
			return r.bytes(tcNull).b
		},
		"superclasses": func(n int) []byte {
			r := stream().bytes(tcObject)
			for range n {
				r.class("A", ser, 0).bytes(tcEndBlockData)
			}
			return r.bytes(tcNull).b
		},
		"class annotations": func(n int) []byte {
			r := stream()
			for range n {
				r.bytes(tcObject).class("A", ser, 0)
			}
			for range n {
				r.bytes(tcEndBlockData, tcNull)
			}
			return r.b
		},
		// Each descriptor is finished before the next one names it as superclass: no nesting in the stream at all.
		"superclasses one after the other": func(n int) []byte {
			r := stream().bytes(tcObject).plain("W", ser|FlagWriteMethod)
			r.bytes(tcClass).plain("A", ser) // handles: W 0, its object 1, A 2, Class 3
			for i := range n {
				r.bytes(tcClass).class("A", ser, 0).bytes(tcEndBlockData).ref(2 + 2*i)
			}
			return r.bytes(tcEndBlockData).b
		},
	}
	for name, build := range towers {
		if _, err := Decode(build(20), Limits{MaxDepth: 64}); err != nil {
			t.Errorf("%s, 20 high: %v", name, err)
		}
		if _, err := Decode(build(100_000), Limits{MaxDepth: 64}); !errors.Is(err, ErrTooDeep) {
			t.Errorf("%s, 100000 high: %v", name, err)
		}
	}
}

func TestDecodeCountsHandlesAndElements(t *testing.T) {
	t.Parallel()
	many := stream().bytes(tcArray).plain("[Ljava.lang.Object;", FlagSerializable).u32(1000)
	for range 1000 {
		many.str("x")
	}
	if _, err := Decode(many.b, Limits{MaxHandles: 100}); !errors.Is(err, ErrTooMany) {
		t.Errorf("1002 handles of 100: %v", err)
	}
	if _, err := Decode(many.b, Limits{MaxElements: 999}); !errors.Is(err, ErrTooMany) {
		t.Errorf("1000 elements of 999: %v", err)
	}
	if _, err := Decode(many.b, Limits{MaxBytes: 100}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over 100 bytes: %v", err)
	}
	if _, err := Decode(many.b, Limits{MaxHandles: 1002, MaxElements: 1000}); err != nil {
		t.Errorf("exactly at the limits: %v", err)
	}
}

// What amplifies: objects of a class with many superclasses, and objects of many fields nested in each other, cost far
// more memory than bytes.
func TestDecodeMemoryIsBounded(t *testing.T) {
	const ser = FlagSerializable
	tall := stream().bytes(tcArray).plain("[Ljava.lang.Object;", ser).u32(200_000).bytes(tcObject)
	for range 200 {
		tall.class("A", ser, 0).bytes(tcEndBlockData)
	}
	tall.bytes(tcNull)
	for range 199_999 {
		tall.bytes(tcObject).ref(2)
	}
	const fields = 10_000
	wide := stream().bytes(tcObject).class("W", ser, fields).bytes('L').utf("f").str("LW;")
	for range fields - 1 {
		wide.bytes('L').utf("f").ref(1)
	}
	wide.bytes(tcEndBlockData, tcNull)
	for range 250 {
		wide.bytes(tcObject).ref(0)
	}
	wide.repeat(1<<20, "\x70")
	huge := stream().bytes(tcArray).plain("[J", ser).u32(math.MaxInt32).repeat(1000, "\x00")
	for name, b := range map[string][]byte{"tall": tall.b, "wide": wide.b, "huge": huge.b} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(b, Limits{})
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: taken", name)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
			t.Errorf("%s: %d bytes of input cost %d MiB", name, len(b), used>>20)
		}
	}
}

func TestDecodeSurvivesEveryTruncationAndFlip(t *testing.T) {
	t.Parallel()
	for name, b := range vectors(t) {
		if !strings.Contains(name, "RegisterWorker") && !strings.Contains(name, "mmap3") && !strings.Contains(name, "lbuf3") {
			continue
		}
		for n := range b {
			if _, err := Decode(b[:n], Limits{}); err == nil {
				t.Errorf("%s: its first %d of %d bytes were taken as a whole", name, n, len(b))
			}
		}
		for i := range b {
			for _, x := range []byte{0x01, 0x80, 0xFF} {
				broken := append([]byte(nil), b...)
				broken[i] ^= x
				if v, err := Decode(broken, Limits{}); err == nil {
					_ = Format(v)
				}
			}
		}
	}
}
