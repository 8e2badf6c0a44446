package messages

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/releases"
)

// TestJVMReadsWhatWeWrite lets Spark's own classes read every message that we write, and reads what they write of it.
// It needs java and the jars of Spark releases: set FIRESTEEL_SPARK_JARS to their jars directories, separated as in
// PATH.
func TestJVMReadsWhatWeWrite(t *testing.T) {
	t.Parallel()
	dirs := filepath.SplitList(os.Getenv("FIRESTEEL_SPARK_JARS"))
	if len(dirs) == 0 {
		t.Skip("FIRESTEEL_SPARK_JARS is not set")
	}
	for _, jars := range dirs {
		t.Run(filepath.Base(filepath.Dir(jars)), func(t *testing.T) { rereadAll(t, jars) })
	}
}

func rereadAll(t *testing.T, jars string) {
	env := envOfJars(t, jars)
	dir := t.TempDir()
	all := samplesIn(env)
	for i, m := range all {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%03d.ser", i)), mustEncode(t, m, env))
	}
	printed := reread(t, jars, dir)
	for i, m := range all {
		name := fmt.Sprintf("%03d.ser", i)
		class, text, _ := strings.Cut(printed[name], "\t")
		if class != m.ClassName() {
			t.Errorf("%T: the JVM says %s %s", m, class, text)
			continue
		}
		t.Log(text)
		b, err := os.ReadFile(filepath.Join(dir, name+".out"))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := mustDecode(t, b); !reflect.DeepEqual(sorted(withoutTrees(got)), sorted(m)) {
			t.Errorf("the JVM understood\n%s\nas\n%s", show(m), show(got))
		}
	}
}

// sorted brings what came out of a hash map into the order of the samples.
func sorted(m Message) Message {
	r, ok := m.(*RequestExecutors)
	if !ok {
		return m
	}
	out := &RequestExecutors{AppID: r.AppID, Totals: make([]ProfileTotal, len(r.Totals))}
	for _, total := range r.Totals {
		out.Totals[total.Profile.ID] = total
	}
	return out
}

func envOfJars(t *testing.T, jars string) Env {
	t.Helper()
	found, err := releases.FindJars(jars)
	if err != nil {
		t.Fatal(err)
	}
	table, err := releases.Compute(found)
	if err != nil {
		t.Fatal(err)
	}
	return Env{Classes: table}
}

// reread runs testdata/jvm/Reread.java and returns what it printed of each file.
func reread(t *testing.T, jars, dir string) map[string]string {
	t.Helper()
	cmd := exec.Command("java", "-cp", filepath.Join(jars, "*"), filepath.Join("testdata", "jvm", "Reread.java"), dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	printed := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		name, rest, _ := strings.Cut(s.Text(), "\t")
		printed[name] = rest
	}
	return printed
}

func writeFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
