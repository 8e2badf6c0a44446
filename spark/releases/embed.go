package releases

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed tables
var tableFiles embed.FS

// TableSuffix ends the name of a table file.
const TableSuffix = ".jsonl"

// load parses the embedded tables once, oldest release first. They are part of the program, so a broken one is a bug
// that every test of this package shows, and a panic.
var load = sync.OnceValue(func() []*Table {
	entries, err := tableFiles.ReadDir("tables")
	if err != nil {
		panic(fmt.Errorf("read embedded release tables: %w", err))
	}
	var tables []*Table
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), TableSuffix) {
			continue
		}
		data, err := tableFiles.ReadFile("tables/" + e.Name())
		if err != nil {
			panic(fmt.Errorf("read embedded release table: %w", err))
		}
		t, err := ReadTable(bytes.NewReader(data))
		if err != nil {
			panic(fmt.Errorf("embedded release table %s: %w", e.Name(), err))
		}
		tables = append(tables, t)
	}
	slices.SortFunc(tables, func(a, b *Table) int {
		return cmp.Or(CompareVersions(a.newest().Version, b.newest().Version), cmp.Compare(a.scala, b.scala))
	})
	return tables
})

// Tables are all tables that this program carries, the one with the oldest release first.
func Tables() []*Table { return slices.Clone(load()) }
