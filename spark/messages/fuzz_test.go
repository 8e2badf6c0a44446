package messages

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

// FuzzDecode looks for panics on streams that are well formed but lie about a message.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "captures", "*", "*.ser"))
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	all := envs()
	for _, env := range all {
		for _, m := range samplesIn(env) {
			f.Add(mustEncode(f, m, env))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b, javaser.Limits{MaxDepth: 64, MaxHandles: 4096, MaxElements: 1 << 16})
		if err != nil {
			return
		}
		_ = m.ClassName()
		for _, env := range all {
			if out, err := Encode(m, env); err == nil {
				if _, err := Decode(out, javaser.Limits{}); err != nil {
					t.Errorf("what was taken and written again is refused: %v", err)
				}
			}
			break
		}
	})
}
