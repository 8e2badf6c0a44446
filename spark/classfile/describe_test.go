package classfile

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/firesteel/firesteel/spark/classfile/classfiletest"
	"github.com/firesteel/firesteel/spark/javaser"
)

func classPath(t *testing.T, classes ...classfiletest.Class) *ClassPath {
	t.Helper()
	jar := filepath.Join(t.TempDir(), "a.jar")
	classfiletest.WriteJar(t, jar, classes...)
	cp, err := OpenClassPath(jar)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cp.Close() })
	return cp
}

var serializable = []string{classfiletest.Serializable}

func TestDescribeErrors(t *testing.T) {
	t.Parallel()
	const final = accPrivate | accStatic | accFinal
	cp := classPath(t,
		classfiletest.Class{Name: "a.Plain"},
		classfiletest.Class{Name: "a.Orphan", Super: "b.Gone", Interfaces: serializable},
		classfiletest.Class{Name: "a.Unsure", Super: "b.Gone"},
		classfiletest.Class{Name: "a.OddJDK", Super: "java.util.HashMap"},
		classfiletest.Class{Name: "a.Selfish", Super: "a.Selfish", Interfaces: serializable},
		classfiletest.Class{Name: "a.X", Super: "a.Y"}, classfiletest.Class{Name: "a.Y", Interfaces: []string{"a.X"}},
		classfiletest.Class{Name: "a.Computed", Interfaces: serializable, Fields: []classfiletest.Member{{Access: final, Name: "serialVersionUID", Descriptor: "J"}}},
		classfiletest.Class{Name: "a.Persistent", Interfaces: serializable, Fields: []classfiletest.Member{{Access: final, Name: "serialPersistentFields", Descriptor: "[Ljava/io/ObjectStreamField;"}}},
	)
	for name, want := range map[string]error{
		"a.Plain": ErrNotSerializable, "a.Missing": ErrNotFound, "a.Orphan": ErrNotFound, "a.Unsure": ErrNotFound,
		"a.OddJDK": ErrNotFound, "java.util.HashMap": ErrNotFound, "a.Selfish": ErrFormat, "a.X": ErrNotSerializable,
		"a.Computed": ErrNotStatic, "a.Persistent": ErrNotStatic, "": ErrNotFound, "[": ErrNotFound, "[L;": ErrNotFound, "[Q": ErrNotFound,
		strings.Repeat("[", 300) + "I": ErrNotFound, "[La.Missing;": ErrNotFound, "../../etc/passwd": ErrNotFound,
	} {
		if d, err := Describe(cp, name); !errors.Is(err, want) {
			t.Errorf("%q: got %v, %v; want %v", name, d, err, want)
		}
	}
}

func TestDeepHierarchyIsRefused(t *testing.T) {
	t.Parallel()
	classes := []classfiletest.Class{{Name: "a.C", Interfaces: serializable}}
	for range 200 {
		last := classes[len(classes)-1].Name
		classes = append(classes, classfiletest.Class{Name: last + "C", Super: last})
	}
	cp := classPath(t, classes...)
	if _, err := Describe(cp, classes[200].Name); !errors.Is(err, ErrFormat) {
		t.Errorf("200 superclasses: got %v", err)
	}
	if d, err := Describe(cp, classes[20].Name); err != nil || d.Super == nil || d.Super.Name != classes[19].Name {
		t.Errorf("20 superclasses: got %+v, %v", d, err)
	}
}

// TestArrays checks against java.lang's arrays, which the JDK's specification fixes, and an element class that is not public.
func TestArrays(t *testing.T) {
	t.Parallel()
	cp := classPath(t, classfiletest.Class{Name: "a.Open"}, classfiletest.Class{Name: "a.Closed", Access: accSuper})
	for name, want := range map[string]int64{
		"[Ljava.lang.Object;": -8012369246846506644, "[Ljava.lang.String;": -5921575005990323385,
		"[Ljava.lang.StackTraceElement;": 163864874655228473, "[B": -5984413125824719648, "[I": 5600894804908749477,
	} {
		d, err := Describe(cp, name)
		if err != nil || d.SUID != want || d.Flags != javaser.FlagSerializable {
			t.Errorf("%s: got %+v, %v; want SUID %d", name, d, err, want)
		}
		if shared, ok := JDK(name); !ok || shared.SUID != want {
			t.Errorf("JDK(%s) = %v, %v", name, shared, ok)
		}
	}
	open, err := Describe(cp, "[La.Open;")
	closed, err2 := Describe(cp, "[La.Closed;")
	if err != nil || err2 != nil || open.SUID != arraySUID("[La.Open;", accPublic) || closed.SUID != arraySUID("[La.Closed;", 0) {
		t.Errorf("got %v %v, %v %v", open, err, closed, err2)
	}
}

func TestMaxJDKDepth(t *testing.T) {
	t.Parallel()
	d, ok := JDK("java.lang.IllegalStateException")
	depth := 0
	for ; d != nil; d = d.Super {
		depth++
	}
	if !ok || depth != MaxJDKDepth {
		t.Errorf("chain of %d, MaxJDKDepth is %d", depth, MaxJDKDepth)
	}
}

func TestFirstJarWinsAndJarsAreOpenedWhenNeeded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second, broken := filepath.Join(dir, "1.jar"), filepath.Join(dir, "2.jar"), filepath.Join(dir, "3.jar")
	classfiletest.WriteJar(t, first, classfiletest.Class{Name: "a.B", Access: accPublic | accFinal})
	classfiletest.WriteJar(t, second, classfiletest.Class{Name: "a.B"}, classfiletest.Class{Name: "a.C"})
	if err := os.WriteFile(broken, []byte("no zip"), 0o644); err != nil {
		t.Fatal(err)
	}
	cp, err := OpenClassPath(first, second, broken)
	if err != nil {
		t.Fatal(err)
	}
	defer cp.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if c, err := cp.Find("a.B"); err != nil || c.Access != accPublic|accFinal {
				t.Errorf("got %+v, %v", c, err)
			}
			if _, err := cp.Find("a.C"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := cp.Find("a.D"); err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), broken) {
		t.Errorf("a broken jar must not pass for a missing class, got %v", err)
	}
	if _, err := cp.List("a."); err == nil {
		t.Error("List of a broken jar: no error")
	}
	if _, err := OpenClassPath(filepath.Join(dir, "none.jar")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing jar: got %v", err)
	}
}

func TestListNamesClassesOnly(t *testing.T) {
	t.Parallel()
	cp := classPath(t, classfiletest.Class{Name: "a.B"}, classfiletest.Class{Name: "a.B$C"}, classfiletest.Class{Name: "b.A"})
	got, err := cp.List("a.B")
	if err != nil || len(got) != 2 || got[0] != "a.B" || got[1] != "a.B$C" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestFindRefusesImpostorsAndBombs: an entry that holds another class, and one that inflates beyond any class file.
func TestFindRefusesImpostorsAndBombs(t *testing.T) {
	t.Parallel()
	jar := filepath.Join(t.TempDir(), "a.jar")
	f, err := os.Create(jar)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, data := range map[string][]byte{"a/B.class": classfiletest.Class{Name: "a.C"}.Bytes(), "a/Bomb.class": make([]byte, maxClassBytes+1)} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	cp, err := OpenClassPath(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer cp.Close()
	for _, name := range []string{"a.B", "a.Bomb"} {
		if _, err := cp.Find(name); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
