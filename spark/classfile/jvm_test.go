package classfile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "compile testdata/Samples.java and store its classes and what the JVM says of them")

// printed is one line of Samples.main.
type printed struct {
	Name            string
	SUID            int64 `json:",string"`
	Flags           byte
	Super           string
	Fields          []string
	NotSerializable bool
}

// runTimeOnly are the samples whose stream form only their static initialiser knows.
var runTimeOnly = map[string]bool{"sample.Samples$Persistent": true, "sample.Samples$Computed": true}

// TestAgreesWithStoredJVMOutput compares with what JDK 17 printed for the classes in testdata/samples.jar.
func TestAgreesWithStoredJVMOutput(t *testing.T) {
	jar, lines := filepath.Join("testdata", "samples.jar"), filepath.Join("testdata", "samples.jsonl")
	if *update {
		compileSamples(t, jar, lines)
	}
	checkAgainstJVM(t, jar, lines)
}

// TestAgreesWithJVM does the same with the compiler and the JVM of this machine.
func TestAgreesWithJVM(t *testing.T) {
	t.Parallel()
	requireJDK(t)
	dir := t.TempDir()
	jar, lines := filepath.Join(dir, "samples.jar"), filepath.Join(dir, "samples.jsonl")
	compileSamples(t, jar, lines)
	checkAgainstJVM(t, jar, lines)
}

func requireJDK(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	out, err := exec.Command("javac", "-version").CombinedOutput()
	m := regexp.MustCompile(`javac (\d+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Skip("no JDK on this machine")
	}
	if major, _ := strconv.Atoi(string(m[1])); major < 17 {
		t.Skipf("JDK %d is too old for the samples (records need 17)", major)
	}
}

func compileSamples(t *testing.T, jar, lines string) {
	t.Helper()
	classes := t.TempDir()
	run(t, "javac", "-encoding", "UTF-8", "-nowarn", "-d", classes, filepath.Join("testdata", "Samples.java"))
	names := zipClasses(t, classes, jar)
	java := append([]string{"-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8", "-cp", jar, "sample.Samples"}, names...)
	if err := os.WriteFile(lines, run(t, "java", java...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.Bytes())
	}
	return out
}

// zipClasses packs a folder of classes and gives their binary names.
func zipClasses(t *testing.T, dir, jar string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "sample", "*.class"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no classes compiled: %v", err)
	}
	f, err := os.Create(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	var names []string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		w, err := z.Create("sample/" + filepath.Base(path))
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, "sample."+strings.TrimSuffix(filepath.Base(path), ".class"))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return names
}

func checkAgainstJVM(t *testing.T, jar, lines string) {
	t.Helper()
	cp, err := OpenClassPath(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer cp.Close()
	data, err := os.ReadFile(lines)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); compared++ {
		var want printed
		if err := json.Unmarshal(s.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		compareWithJVM(t, cp, want)
	}
	if compared < 30 {
		t.Errorf("only %d classes compared", compared)
	}
}

func compareWithJVM(t *testing.T, cp *ClassPath, want printed) {
	t.Helper()
	d, err := Describe(cp, want.Name)
	switch {
	case want.NotSerializable:
		if !errors.Is(err, ErrNotSerializable) {
			t.Errorf("%s: want ErrNotSerializable, got %v", want.Name, err)
		}
		return
	case runTimeOnly[want.Name]:
		if !errors.Is(err, ErrNotStatic) {
			t.Errorf("%s: want ErrNotStatic, got %v", want.Name, err)
		}
		return
	case err != nil:
		t.Error(err)
		return
	}
	got := printed{Name: d.Name, SUID: d.SUID, Flags: d.Flags}
	if d.Super != nil {
		got.Super = d.Super.Name
	}
	for _, f := range d.Fields {
		got.Fields = append(got.Fields, f.Name+" "+f.Type)
	}
	if want.Flags&0x04 != 0 {
		want.Fields = nil // getFields lists those of an externalizable class, but its descriptor in a stream has none
	}
	if strings.Join(got.Fields, ",") != strings.Join(want.Fields, ",") || got.SUID != want.SUID || got.Flags != want.Flags || got.Super != want.Super {
		t.Errorf("the JVM says\n%+v, we say\n%+v", want, got)
	}
}
