package scala

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

// table is the class table of one release, from the lines a JVM of that release printed.
type table struct {
	scala string
	lines map[string]tableLine
	descs map[string]*javaser.ClassDesc
}

type tableLine struct {
	Name   string `json:"name"`
	SUID   int64  `json:"suid,string"`
	Flags  byte   `json:"flags"`
	Super  string `json:"super"`
	Fields []struct {
		Name string `json:"n"`
		Type string `json:"t"`
	} `json:"fields"`
	Missing bool `json:"missing"`
}

func (t *table) Scala() string { return t.scala }

func (t *table) Class(name string) (*javaser.ClassDesc, error) {
	if c, ok := t.descs[name]; ok {
		return c, nil
	}
	line, ok := t.lines[name]
	if !ok {
		return nil, fmt.Errorf("no class %s", name)
	}
	c := &javaser.ClassDesc{Name: name, SUID: line.SUID, Flags: line.Flags}
	for _, f := range line.Fields {
		c.Fields = append(c.Fields, javaser.Field{Name: f.Name, Type: f.Type})
	}
	if line.Super != "" {
		super, err := t.Class(line.Super)
		if err != nil {
			return nil, err
		}
		c.Super = super
	}
	t.descs[name] = c
	return c, nil
}

// dialects are 3.5.7 and 4.1.4; a table builds descriptors as they are asked for, so it is for one goroutine.
func dialects(t testing.TB) map[string]*table {
	t.Helper()
	out := map[string]*table{}
	for release, version := range map[string]string{"3.5.7": "2.12", "4.1.4": "2.13"} {
		b, err := os.ReadFile(filepath.Join("testdata", "tables", release+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		tab := &table{scala: version, lines: map[string]tableLine{}, descs: map[string]*javaser.ClassDesc{}}
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			var line tableLine
			if err := json.Unmarshal(s.Bytes(), &line); err != nil {
				if !bytes.Contains(s.Bytes(), []byte(`"missing"`)) {
					t.Fatalf("%s: %v", s.Bytes(), err)
				}
				continue
			}
			if !line.Missing {
				tab.lines[line.Name] = line
			}
		}
		out[release] = tab
	}
	return out
}

func decode(t testing.TB, b []byte) javaser.Value {
	t.Helper()
	v, err := javaser.Decode(b, javaser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// overTheWire is what a peer reads of a value that we write.
func overTheWire(t testing.TB, v javaser.Value) javaser.Value {
	t.Helper()
	b, err := javaser.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, b)
}

func collection(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "collections", filepath.FromSlash(name)+".ser"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
