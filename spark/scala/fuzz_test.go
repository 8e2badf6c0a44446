package scala

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

// FuzzCollections: whatever tree stands where a collection should, reading it ends, without a panic, and gives no more
// than the tree holds.
func FuzzCollections(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "collections", "*", "*.ser"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no collections: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	const most = 1 << 14
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := javaser.Decode(b, javaser.Limits{MaxDepth: 64, MaxHandles: 4096, MaxElements: most})
		if err != nil {
			return
		}
		if s, err := Seq(v); err == nil && len(s) > most {
			t.Fatalf("a sequence of %d from %d bytes", len(s), len(b))
		}
		if m, err := Map(v); err == nil && len(m) > most {
			t.Fatalf("a map of %d from %d bytes", len(m), len(b))
		}
		_, _ = Strings(v)
		_, _ = StringMap(v)
		_, _ = String(v)
		_, _ = Int(v)
		_, _ = Long(v)
		_, _ = Double(v)
		_, _ = Bool(v)
		_, _, _ = Option(v)
		_, _ = EnumID(v)
		_, _, _ = Throwable(v)
		_ = ClassOf(v)
	})
}
