package classfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/classfile/classfiletest"
)

// sampleClasses are the class files of testdata/samples.jar.
func sampleClasses(t testing.TB) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader("testdata/samples.jar")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	classes := make(map[string][]byte)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if classes[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return classes
}

func TestParseRefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	for name, data := range sampleClasses(t) {
		for n := range data {
			if _, err := Parse(data[:n]); !errors.Is(err, ErrFormat) {
				t.Fatalf("%s cut to %d of %d bytes: got %v", name, n, len(data), err)
			}
		}
		if _, err := Parse(append(data[:len(data):len(data)], 0)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s with a byte too many: got %v", name, err)
		}
	}
}

// TestParseSurvivesEveryByteChanged sets each byte to values that make lengths and indexes lie; whatever parses must also be usable.
func TestParseSurvivesEveryByteChanged(t *testing.T) {
	t.Parallel()
	data := sampleClasses(t)["sample/Samples$Inner.class"]
	if len(data) == 0 {
		t.Fatal("no sample")
	}
	for i := range data {
		for _, b := range []byte{0x00, 0x01, 0x7F, 0x80, 0xFF, data[i] + 1} {
			changed := append([]byte(nil), data...)
			changed[i] = b
			use(changed)
		}
	}
}

// use does with a class all that can be done with it.
func use(data []byte) {
	c, err := Parse(data)
	if err != nil {
		return
	}
	c.DefaultSUID()
	c.DeclaredSUID()
	c.SerialFields()
	c.Strings()
	c.describe(serialKind{serializable: true})
}

func TestParseDoesNotAllocateForLies(t *testing.T) { // not parallel: AllocsPerRun counts the whole process
	// 65535 fields, interfaces or constants claimed, none there
	head := binary.BigEndian.AppendUint32(nil, classMagic)
	lies := map[string][]byte{
		"constants": append(head, 0, 0, 0, 52, 0xFF, 0xFF),
		"magic":     {0xCA, 0xFE, 0xBA, 0xBF, 0, 0, 0, 52, 0, 1},
		"empty":     {},
	}
	for name, data := range lies {
		if got := testing.AllocsPerRun(10, func() { Parse(data) }); got > 30 {
			t.Errorf("%s: %v allocations", name, got)
		}
		if _, err := Parse(data); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestSharedLongNames: 60000 methods with one descriptor of 60000 bytes are 3.6 GB to hash.
func TestSharedLongNames(t *testing.T) {
	t.Parallel()
	head := append(binary.BigEndian.AppendUint32(nil, classMagic), 0, 0, 0, 52, 0, 5)
	const long = 60000
	head = append(head, tagUtf8, long>>8, long&0xFF)
	head = append(head, bytes.Repeat([]byte{'x'}, long)...)
	head = append(head, tagUtf8, 0, 1, 'A', tagClass, 0, 2, tagClass, 0, 1)
	head = append(head, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, long>>8, long&0xFF)
	data := append(head, bytes.Repeat([]byte{0, 1, 0, 1, 0, 1, 0, 0}, long)...)
	data = append(data, 0, 0)
	if _, err := Parse(data); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "names") {
		t.Errorf("got %v", err)
	}
}

func TestEmptyNamesAndDescriptors(t *testing.T) {
	t.Parallel()
	data := classfiletest.Class{Name: "a.B", Fields: []classfiletest.Member{{}}, Methods: []classfiletest.Member{{}}}.Bytes()
	c, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	c.DefaultSUID()
	if fields, err := c.SerialFields(); err != nil || len(fields) != 1 {
		t.Errorf("got %v, %v", fields, err)
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	want := []string{"--add-opens=java.base/java.lang=ALL-UNNAMED", "", "ü𐐀"}
	c, err := Parse(classfiletest.Class{Name: "a.B", Strings: []string{want[0], want[1], encodeModified(want[2])}}.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	got := c.Strings()
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, data := range sampleClasses(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { use(data) })
}

func FuzzModifiedUTF8(f *testing.F) {
	f.Add([]byte("a\xC0\x80\xed\xa0\x81\xed\xb0\x80ü"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, ok := decodeModified(data)
		if !ok {
			return
		}
		again, ok := decodeModified([]byte(encodeModified(s)))
		if !ok || again != s {
			t.Errorf("%q became %q", s, again)
		}
	})
}
