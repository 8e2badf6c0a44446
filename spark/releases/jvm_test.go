package releases

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// printed is a line of testdata/jvm: what ObjectStreamClass said of a class in a JVM with that release's jars.
type printed struct {
	Name   string
	SUID   int64 `json:",string"`
	Flags  byte
	Super  string
	Fields []struct{ N, T string }

	NotSerializable, Missing bool
}

func (p printed) row() row {
	r := row{Name: p.Name, SUID: p.SUID, Flags: p.Flags, Super: p.Super}
	for _, f := range p.Fields {
		r.Fields = append(r.Fields, f.N+" "+f.T)
	}
	return r
}

// leftOut tells the classes that tables do not have on purpose: see wireClasses and messageClasses.
func (p printed) leftOut(all map[string]printed) bool {
	class, isObject := strings.CutSuffix(p.Name, "$")
	_, hasClass := all[class]
	companion := isObject && hasClass && strings.HasPrefix(p.Name, deployMessages)
	return companion || strings.HasPrefix(p.Name, "org.apache.spark.") && (strings.HasSuffix(p.Name, "Exception"))
}

func readPrinted(t *testing.T, version string) map[string]printed {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "jvm", version+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := make(map[string]printed)
	for s := bufio.NewScanner(f); s.Scan(); {
		var p printed
		if err := json.Unmarshal(s.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		all[p.Name] = p
	}
	return all
}

// tableOf finds the embedded table that was checked against a release.
func tableOf(t *testing.T, version, scala string) *Table {
	t.Helper()
	for _, table := range Tables() {
		for _, r := range table.Releases() {
			if r.Version == version && table.Scala() == scala {
				return table
			}
		}
	}
	t.Fatalf("no table of Spark %s/%s", version, scala)
	return nil
}

// TestTablesEqualTheJVMs compares the computed tables with what JVMs printed, class by class and in both directions.
func TestTablesEqualTheJVMs(t *testing.T) {
	t.Parallel()
	for version, scala := range map[string]string{"3.5.7": "2.12", "4.0.1": "2.13", "4.1.4": "2.13", "4.3.0": "2.13"} {
		table, all := tableOf(t, version, scala), readPrinted(t, version)
		compared := 0
		for name, p := range all {
			d, err := table.Class(name)
			switch absent := p.NotSerializable || p.Missing; {
			case p.leftOut(all):
			case absent && err == nil:
				t.Errorf("%s: %s is not serializable there, the table has %+v", version, name, d)
			case absent:
			case err != nil:
				t.Errorf("%s: %v", version, err)
			case !reflect.DeepEqual(newRow(d), p.row()):
				t.Errorf("%s: the JVM says\n%+v, the table\n%+v", version, p.row(), newRow(d))
			default:
				compared++
			}
		}
		if compared < 140 {
			t.Errorf("%s: only %d classes compared", version, compared)
		}
		for _, name := range table.Names() {
			if _, ok := all[name]; !ok && strings.Contains(name, "spark.deploy.DeployMessages") {
				t.Errorf("%s: the table has %s, which no JVM was asked about", version, name)
			}
		}
	}
}
