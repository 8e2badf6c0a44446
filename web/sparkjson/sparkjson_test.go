package sparkjson

import "testing"

// The expected text has the form that a live Master of Spark 4.1.4 printed.
func TestPrintsAsSparkDoes(t *testing.T) {
	t.Parallel()
	o := Object{
		{"url", "spark://h:7077"},
		{"workers", []Object{{{"id", "w<1>"}, {"resources", Object{}}, {"addresses", []string{"0", "1"}}}, {{"id", "w\"2"}}}},
		{"cores", 3},
		{"starttime", int64(1767323100777)},
		{"none", []Object{}},
		{"nested", []Object{{}}},
	}
	want := `{
  "url" : "spark://h:7077",
  "workers" : [ {
    "id" : "w<1>",
    "resources" : { },
    "addresses" : [ "0", "1" ]
  }, {
    "id" : "w\"2"
  } ],
  "cores" : 3,
  "starttime" : 1767323100777,
  "none" : [ ],
  "nested" : [ { } ]
}`
	if got := o.String(); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}
