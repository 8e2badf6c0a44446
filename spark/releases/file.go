package releases

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/firesteel/firesteel/spark/classfile"
	"github.com/firesteel/firesteel/spark/javaser"
)

// A table file is JSON lines: one header, then one row per class, sorted by name.
type (
	header struct {
		Build    Build     `json:"build"`
		Scala    string    `json:"scala"`
		Releases []Release `json:"releases"`
	}
	row struct {
		Name   string   `json:"n"`
		SUID   int64    `json:"s,string"`
		Flags  byte     `json:"f"`
		Super  string   `json:"p,omitempty"`
		Fields []string `json:"d,omitempty"` // "name type", in wire order
	}
)

// maxRow bounds one line of a table file, in bytes.
const maxRow = 1 << 20

// errTableFile is wrapped by every complaint about the text of a table file.
var errTableFile = errors.New("malformed table file")

// ReadTable reads what WriteTo wrote.
func ReadTable(r io.Reader) (*Table, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRow)
	var h header
	if !lines.Scan() {
		return nil, errors.Join(fmt.Errorf("%w: it is empty", errTableFile), lines.Err())
	}
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
		return nil, fmt.Errorf("%w: header: %w", errTableFile, err)
	}
	if h.Build == "" || h.Scala == "" || len(h.Releases) == 0 {
		return nil, fmt.Errorf("%w: the header lacks build, scala or releases", errTableFile)
	}
	t := &Table{build: h.Build, scala: h.Scala, releases: h.Releases, classes: make(map[string]*javaser.ClassDesc)}
	supers := make(map[string]string)
	for n := 2; lines.Scan(); n++ {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", errTableFile, n, err)
		}
		t.classes[r.Name] = r.desc()
		supers[r.Name] = r.Super
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", errTableFile, err)
	}
	return t, t.link(supers)
}

func (r row) desc() *javaser.ClassDesc {
	d := &javaser.ClassDesc{Name: r.Name, SUID: r.SUID, Flags: r.Flags}
	for _, f := range r.Fields {
		name, typ, _ := strings.Cut(f, " ")
		d.Fields = append(d.Fields, javaser.Field{Name: name, Type: typ})
	}
	return d
}

// link ties every class to its superclass, which must be in the table or be one of the JDK, and refuses cycles.
func (t *Table) link(supers map[string]string) error {
	for name, super := range supers {
		if super == "" {
			continue
		}
		d, ok := t.lookup(super)
		if !ok {
			return fmt.Errorf("%w: %s has the unknown superclass %s", errTableFile, name, super)
		}
		t.classes[name].Super = d
	}
	for name, d := range t.classes {
		for steps := 0; d != nil; d = d.Super {
			if steps++; steps > len(t.classes)+classfile.MaxJDKDepth {
				return fmt.Errorf("%w: %s is its own superclass", errTableFile, name)
			}
		}
	}
	return nil
}

// WriteTo writes the table as a table file. Equal tables give equal bytes.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(header{t.build, t.scala, t.releases}); err != nil {
		return 0, err
	}
	for _, name := range t.Names() {
		if err := enc.Encode(newRow(t.classes[name])); err != nil {
			return 0, err
		}
	}
	return buf.WriteTo(w)
}

func newRow(d *javaser.ClassDesc) row {
	r := row{Name: d.Name, SUID: d.SUID, Flags: d.Flags}
	if d.Super != nil {
		r.Super = d.Super.Name
	}
	for _, f := range d.Fields {
		r.Fields = append(r.Fields, f.Name+" "+f.Type)
	}
	return r
}
