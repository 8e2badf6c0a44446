package config

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseProperties(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       map[string]string
	}{
		{"separators", "a=1\nb:2\nc 3\nd\t=\t4\ne", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": ""}},
		{"spark style", "spark.master   spark://h:7077\n", map[string]string{"spark.master": "spark://h:7077"}},
		{"second separator belongs to the value", "a==1\nb= :2", map[string]string{"a": "=1", "b": ":2"}},
		{"comments and blanks", "# x=1\n  ! y=2\n\n   \nz=3", map[string]string{"z": "3"}},
		{"continuation", "a = one, \\\n   two\\\n\n#b=1", map[string]string{"a": "one, two"}},
		{"continuation is never a comment", "a=1\\\n#2", map[string]string{"a": "1#2"}},
		{"even backslashes do not continue", "a=1\\\\\nb=2", map[string]string{"a": `1\`, "b": "2"}},
		{"escapes", `k\=e\:y\ s = a\tb\u00e9\ud83d\ude00\q`, map[string]string{"k=e:y s": "a\tbé😀q"}},
		{"values are trimmed, line ends kept", "a=  x \t \nb=\\n x \\r", map[string]string{"a": "x", "b": "\n x \r"}},
		{"the last one counts", "a=1\na=2", map[string]string{"a": "2"}},
		{"line ends of all kinds", "a=1\r\nb=2\rc=3", map[string]string{"a": "1", "b": "2", "c": "3"}},
		{"backslash at the end", `a=1\`, map[string]string{"a": "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseProperties(strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParsePropertiesRefusesBadInput(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a=1\nb=\\u12", "a=1\nb=\\uzzzz", "a=1\n\\u+123=x"} {
		_, err := ParseProperties(strings.NewReader(text))
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := ParseProperties(strings.NewReader("a=\xff")); !errors.Is(err, ErrMalformed) {
		t.Errorf("bad UTF-8: got %v", err)
	}
}

func FuzzParseProperties(f *testing.F) {
	for _, s := range []string{"a=1", "a\\", "\\u00e9", "\\ud83d\\ud", "a=\\\n", "= :"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		props, err := ParseProperties(strings.NewReader(text))
		if err == nil && props == nil {
			t.Fatal("neither properties nor an error")
		}
	})
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultPropertiesFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inConf := write(t, filepath.Join(dir, "conf", "spark-defaults.conf"), "")
	other := write(t, filepath.Join(dir, "other", "spark-defaults.conf"), "")
	for _, tt := range []struct {
		env  Env
		want string
	}{
		{Env{"SPARK_HOME": dir}, inConf},
		{Env{"SPARK_HOME": dir, "SPARK_CONF_DIR": filepath.Dir(other)}, other},
		{Env{"SPARK_HOME": dir, "SPARK_CONF_DIR": filepath.Join(dir, "empty")}, ""},
		{nil, ""},
	} {
		if got := DefaultPropertiesFile(tt.env); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.env, got, tt.want)
		}
	}
}
