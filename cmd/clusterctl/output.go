package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/urfave/cli/v2"
	"gopkg.in/yaml.v3"
)

// shown is a result that can be printed in every format.
type shown interface {
	// table writes it for people; wide has room for more columns.
	table(t *table)
}

// show prints a result as --output says. Everything but the table is the value as JSON has it.
func show(c *cli.Context, v shown) error {
	format := set(c, "output").String("output")
	switch format {
	case "table", "wide":
		t := &table{wide: format == "wide", now: time.Now()}
		v.table(t)
		return t.flush(c.App.Writer)
	case "json":
		e := json.NewEncoder(c.App.Writer)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	return showYAML(c.App.Writer, v)
}

// checkOutput refuses a format before anything is asked for.
func checkOutput(c *cli.Context) error {
	switch f := set(c, "output").String("output"); f {
	case "table", "wide", "json", "yaml":
		return nil
	default:
		return usage.Errorf(c, "--output %q: use table, wide, json or yaml", f)
	}
}

// forPeople tells whether words beside the result are welcome on stdout.
func forPeople(c *cli.Context) bool {
	f := set(c, "output").String("output")
	return f == "table" || f == "wide"
}

// showYAML writes the JSON in YAML's own form: the keys and their order are the same.
func showYAML(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil { // JSON is YAML
		return fmt.Errorf("write YAML: %w", err)
	}
	block(&doc)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return e.Close()
}

func block(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		block(child)
	}
}

// table collects lines and rows.
type table struct {
	wide bool
	now  time.Time
	b    strings.Builder
}

// line writes a line of words.
func (t *table) line(format string, args ...any) { fmt.Fprintf(&t.b, format+"\n", args...) }

// rows writes aligned columns under a heading. Columns behind the mark "|" of the heading are for the wide table only.
func (t *table) rows(heading []string, rows [][]string) {
	shown := len(heading)
	for i, h := range heading {
		if h == "|" {
			heading = append(append([]string{}, heading[:i]...), heading[i+1:]...)
			if shown = i; t.wide {
				shown = len(heading)
			}
			break
		}
	}
	w := tabwriter.NewWriter(&t.b, 0, 0, 3, ' ', 0)
	for _, row := range append([][]string{heading}, rows...) {
		for i := range row[:shown] {
			row[i] = cell(row[i])
		}
		fmt.Fprintln(w, strings.Join(row[:shown], "\t"))
	}
	w.Flush()
}

// cell keeps a value in its place: never empty, in one line.
func cell(s string) string {
	if s = strings.Join(strings.Fields(s), " "); s == "" {
		return "-"
	}
	return s
}

func (t *table) flush(w io.Writer) error {
	var out strings.Builder
	for line := range strings.Lines(t.b.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// age is how long ago something was, in its two largest units.
func (t *table) age(m moment) string {
	if m == 0 {
		return ""
	}
	return duration(t.now.Sub(time.UnixMilli(int64(m))))
}

func duration(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	day := 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// moment is a time in milliseconds since the epoch; 0 is none. In JSON it is RFC 3339 in UTC, or null.
type moment int64

// MarshalJSON implements json.Marshaler.
func (m moment) MarshalJSON() ([]byte, error) {
	if m == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(time.UnixMilli(int64(m)).UTC().Format("2006-01-02T15:04:05.000Z07:00"))
}

// mebibytes writes an amount of memory for people.
func mebibytes(mb int64) string {
	if mb >= 10*1024 || mb >= 1024 && mb%1024 == 0 {
		return fmt.Sprintf("%.4gg", float64(mb)/1024)
	}
	return fmt.Sprintf("%dm", mb)
}
