package javaser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vectors are streams that JVMs wrote: RPC payloads between stock Spark processes, and Scala collections.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*", "*", "*.ser"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	out := make(map[string][]byte, len(paths))
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimPrefix(filepath.ToSlash(p), "testdata/")] = b
	}
	return out
}

func mustDecode(t testing.TB, b []byte) Value {
	t.Helper()
	v, err := Decode(b, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustEncode(t testing.TB, v Value) []byte {
	t.Helper()
	b, err := Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
