// Command gentables computes the class tables of Spark releases from their jars and merges them into the table files
// that package releases embeds. It needs no JVM. Run it from the top of the repository:
//
//	go run ./spark/releases/gentables --home /opt/spark-4.3.0 --home ~/venv/lib/python3.12/site-packages/pyspark
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/firesteel/firesteel/spark/releases"
)

func main() {
	app := &cli.App{
		Name:  "gentables",
		Usage: "compute class tables from the jars of Spark releases",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "home", Usage: "a `SPARK_HOME` or pyspark package folder (has jars/); may be repeated"},
			&cli.StringSliceFlag{Name: "spark-jars", Usage: "a `FOLDER` that holds the jars themselves; may be repeated"},
			&cli.StringFlag{Name: "out", Usage: "the `FOLDER` of table files to merge into", Value: filepath.Join("spark", "releases", "tables")},
			&cli.BoolFlag{Name: "fresh", Usage: "forget the tables that are there"},
		},
		Action: func(c *cli.Context) error {
			dirs := c.StringSlice("spark-jars")
			for _, home := range c.StringSlice("home") {
				dirs = append(dirs, filepath.Join(home, "jars"))
			}
			return generate(c.App.Writer, dirs, c.String("out"), c.Bool("fresh"))
		},
	}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "gentables:", err)
		os.Exit(1)
	}
}

// generate merges the releases of the given jar folders, in that order, and rewrites the table files.
func generate(log io.Writer, jarDirs []string, out string, fresh bool) error {
	if len(jarDirs) == 0 {
		return errors.New("name at least one --home or --spark-jars folder")
	}
	var tables []*releases.Table
	if !fresh {
		var err error
		if tables, err = readTables(out); err != nil {
			return err
		}
	}
	for _, dir := range jarDirs {
		jars, err := releases.FindJars(dir)
		if err != nil {
			return err
		}
		t, err := releases.Compute(jars)
		if err != nil {
			return err
		}
		var note string
		tables, note = releases.Merge(tables, t)
		fmt.Fprintln(log, note)
	}
	return writeTables(out, tables)
}

func readTables(dir string) ([]*releases.Table, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+releases.TableSuffix))
	if err != nil {
		return nil, err
	}
	var tables []*releases.Table
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read table: %w", err)
		}
		t, err := releases.ReadTable(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("read table %s: %w", path, err)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// writeTables replaces all table files of dir: a table's name can change when an older release joins it.
func writeTables(dir string, tables []*releases.Table) error {
	old, err := filepath.Glob(filepath.Join(dir, "*"+releases.TableSuffix))
	if err != nil {
		return err
	}
	files := make(map[string][]byte)
	for _, t := range tables {
		var buf bytes.Buffer
		if _, err := t.WriteTo(&buf); err != nil {
			return err
		}
		files[filepath.Join(dir, t.FileName())] = buf.Bytes()
	}
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	for _, path := range old {
		if _, kept := files[path]; !kept {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("remove outdated table: %w", err)
			}
		}
	}
	return nil
}
