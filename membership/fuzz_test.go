package membership

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/firesteel/firesteel/internal/bomb"
)

// FuzzParseKey: a key file is a key or refused.
func FuzzParseKey(f *testing.F) {
	f.Add([]byte(GenerateKey()))
	f.Add([]byte("  \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := ParseKey(text); err == nil && len(key) != 16 && len(key) != 24 && len(key) != 32 {
			t.Errorf("%q gives a key of %d bytes", text, len(key))
		}
	})
}

// TestMetaBombs: what a member says of itself is bounded before it is read, and lengths in it are not believed.
func TestMetaBombs(t *testing.T) {
	head := func(major byte, n uint64) []byte {
		return binary.BigEndian.AppendUint64([]byte{0xA1, 2, major<<5 | 27}, n)
	}
	for name, in := range map[string][]byte{
		"a million bytes":         bytes.Repeat([]byte{0x60}, 1_000_000),
		"a depth of a million":    bytes.Repeat([]byte{0x81}, 1_000_000),
		"a depth of all it holds": bytes.Repeat([]byte{0x81}, MaxMeta),
		"text of 2^62":            head(3, 1<<62),
		"bytes of 2^62":           head(2, 1<<62),
		"an array of 2^62":        head(4, 1<<62),
		"a map of 2^62":           head(5, 1<<62),
		"a map of 2^62 outside":   head(5, 1<<62)[2:],
	} {
		bomb.Bounded(t, name, in, 8, 64<<10, func(b []byte) {
			if m, err := decodeMeta(b); err == nil {
				t.Errorf("%s: taken as %+v", name, m)
			}
		})
	}
}
