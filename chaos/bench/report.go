package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is what came of a row.
type Result struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Goal  string `json:"goal"`
	Begin Load   `json:"begin"`
	End   Load   `json:"end"`
	Lines []Line `json:"lines"`
	Error string `json:"error,omitempty"` // why it could not be measured, or not all of it
}

// Took is how long the row was measured.
func (r Result) Took() time.Duration { return r.End.At.Sub(r.Begin.At) }

// Report is the whole table.
type Report struct {
	Commit   string   `json:"commit,omitempty"` // of the source, with "+" if it was changed
	Machine  Machine  `json:"machine"`
	Original string   `json:"original"`
	Options  Options  `json:"options"`
	Begin    Load     `json:"begin"`
	End      Load     `json:"end"`
	Rows     []Result `json:"rows"`
}

// Failed counts the rows that could not be measured, or not wholly.
func (r Report) Failed() int {
	n := 0
	for _, row := range r.Rows {
		if row.Error != "" {
			n++
		}
	}
	return n
}

// Count counts the lines of a verdict.
func (r Report) Count(v Verdict) int {
	n := 0
	for _, row := range r.Rows {
		for _, l := range row.Lines {
			if l.Verdict == v {
				n++
			}
		}
	}
	return n
}

// WriteFile writes the report as JSON, or leaves what was there.
func (r Report) WriteFile(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := writeAtOnce(path, append(data, '\n')); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// Print writes the report as a table for people.
func (r Report) Print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s; load average %v at the begin, %v at the end; %s; %s\n", r.Machine, r.Begin, r.End,
		r.End.At.Sub(r.Begin.At).Round(time.Second), strings.TrimSpace("commit "+r.Commit))
	for _, row := range r.Rows {
		fmt.Fprintf(w, "\n%s: %s\n  goal: %s\n", row.Name, row.Title, row.Goal)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, l := range row.Lines {
			fmt.Fprintf(t, "    %s\t%s\t%s\t%s\t%s\n", l.Subject, l.Figure, runs(l.Runs), l.Goal, l.Verdict)
		}
		if err := t.Flush(); err != nil {
			return fmt.Errorf("print the table: %w", err)
		}
		if row.Error != "" {
			fmt.Fprintf(w, "    FAILED: %s\n", strings.ReplaceAll(row.Error, "\n", "\n      "))
		}
		fmt.Fprintf(w, "    (load average %.2f -> %.2f, %s)\n", row.Begin.Mean[0], row.End.Mean[0], row.Took().Round(100*time.Millisecond))
	}
	_, err := fmt.Fprintf(w, "\n%d figures reach their goal, %d miss it; %d rows could not be measured\n", r.Count(Reached), r.Count(Missed), r.Failed())
	if err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	return nil
}

func runs(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("n=%d", n)
}
