package javaser

import (
	"errors"
	"testing"

	"github.com/firesteel/firesteel/internal/bomb"
)

// TestBombs: a length of 2^62, a depth of a million and a million handles are refused under the default limits, for memory
// in proportion to the bytes that really came.
func TestBombs(t *testing.T) {
	const ser, million = FlagSerializable, 1_000_000
	deep := stream().bytes(tcArray).plain("[Ljava.lang.Object;", ser).u32(1)
	for range million {
		deep.bytes(tcArray).ref(0).u32(1)
	}
	supers := stream().bytes(tcObject)
	for range million {
		supers.class("A", ser, 0).bytes(tcEndBlockData)
	}
	handles := stream().bytes(tcArray).plain("[Ljava.lang.Object;", ser).u32(million)
	strings := stream().bytes(tcArray).plain("[Ljava.lang.Object;", ser).u32(million)
	blocks := stream().bytes(tcObject).plain("A", ser|FlagWriteMethod)
	for range million {
		handles.bytes(tcArray).ref(0).u32(0)
		strings.str("")
		blocks.bytes(tcBlockData, 0)
	}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"a string of 2^62":             {stream().bytes(tcLongString).u64(1 << 62).b, ErrTruncated},
		"a string of 2^63-1":           {stream().bytes(tcLongString).u64(1<<63 - 1).b, ErrTruncated},
		"an array of 2^31-1 longs":     {stream().bytes(tcArray).plain("[J", ser).u32(1<<31 - 1).b, ErrTruncated},
		"an array of 2^31-1 objects":   {stream().bytes(tcArray).plain("[Ljava.lang.Object;", ser).u32(1<<31 - 1).b, nil},
		"a depth of a million":         {deep.b, ErrTooDeep},
		"a million superclasses":       {supers.b, ErrTooDeep},
		"a million handles":            {handles.b, ErrTooMany},
		"a million strings":            {strings.b, ErrTooMany},
		"a million empty data blocks":  {blocks.b, nil},
		"65535 fields a hundred times": {fieldBomb(), nil},
	} {
		bomb.Bounded(t, name, c.in, 96, 64<<20, func(b []byte) {
			_, err := Decode(b, Limits{})
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		})
	}
}

// fieldBomb declares many fields in each of many classes, whose values never come.
func fieldBomb() []byte {
	r := stream().bytes(tcArray).plain("[Ljava.lang.Object;", FlagSerializable).u32(100)
	for range 100 {
		r.bytes(tcClass).class("A", FlagSerializable, 65535)
		for range 65535 {
			r.bytes('I').utf("")
		}
		r.bytes(tcEndBlockData, tcNull)
	}
	return r.b
}
