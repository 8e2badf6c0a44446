package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/firesteel/firesteel/internal/bomb"
)

// TestBombs: lengths that lie, of a frame and of what is in it, are not believed.
func TestBombs(t *testing.T) {
	frame := func(n uint64, rest ...byte) []byte { return append(binary.BigEndian.AppendUint64(nil, n), rest...) }
	for name, in := range map[string][]byte{
		"a frame of 2^62":    frame(1<<62, 3),
		"a frame of 2^63":    frame(1<<63, 3),
		"a frame of 128 MiB": frame(DefaultMaxFrame, 3, 1, 2, 3),
		"a frame of 8 bytes": frame(8, 3),
		"a text of 2^31-1":   frame(21, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 0xFF, 0xFF, 0xFF),
		"a text of -1":       frame(13, 6, 0xFF, 0xFF, 0xFF, 0xFF),
	} {
		bomb.Bounded(t, name, in, 4, 256<<10, func(b []byte) { _, _ = readFrame(bufio.NewReader(bytes.NewReader(b)), DefaultMaxFrame) })
	}
	for name, in := range map[string][]byte{
		"a host of 64 KiB":     {1, 0xFF, 0xFF, 'h'},
		"an endpoint of 64 Ki": {0, 0, 0xFF, 0xFF, 'M'},
		"a SASL name of 2^31":  {0xEA, 0x7F, 0xFF, 0xFF, 0xFF, 's'},
	} {
		bomb.Bounded(t, name, in, 4, 64<<10, func(b []byte) {
			if e, err := parseEnvelope(b); err == nil {
				t.Errorf("%s: taken as %+v", name, e)
			}
		})
	}
	for name, in := range map[string][]byte{
		"an answer of 2^62":          frame(1<<62, 7),
		"an answer of 1 MiB":         frame(maxStreamHead, 7, 0),
		"a stream id of 2^31-1":      frame(13, 7, 0x7F, 0xFF, 0xFF, 0xFF),
		"a stream's error of 2^32-1": frame(18, 8, 0, 0, 0, 1, 'x', 0xFF, 0xFF, 0xFF, 0xFF),
	} {
		bomb.Bounded(t, name, in, 4, 64<<10, func(b []byte) { _, _ = readStreamHead(bytes.NewReader(b)) })
	}
}
