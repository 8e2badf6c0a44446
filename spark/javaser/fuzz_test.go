package javaser

import "testing"

// FuzzDecode looks for panics and runaway costs, and checks that whatever is taken can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, b := range vectors(f) {
		f.Add(b)
	}
	f.Add(cyclic().b)
	f.Add(stream().bytes(tcArray).plain("[J", FlagSerializable).u32(1 << 30).b)
	f.Add(stream().bytes(tcLongString).u64(1 << 62).b)
	f.Add(stream().bytes(tcString).u16(6).bytes(0xED, 0xA0, 0xBD, 0xC0, 0x80, 'x').b)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b, Limits{MaxDepth: 64, MaxHandles: 4096, MaxElements: 1 << 16})
		if err != nil {
			return
		}
		again, err := Encode(v)
		if err != nil {
			t.Fatalf("a decoded tree was refused: %v\n%s", err, Format(v))
		}
		second, err := Decode(again, Limits{})
		if err != nil {
			t.Fatalf("an encoded tree was refused: %v\n%s", err, Format(v))
		}
		if !Equal(v, second) {
			t.Fatalf("changed:\n%s\nthen\n%s", Format(v), Format(second))
		}
		VisitClasses(v, func(*ClassDesc) {})
	})
}
