package sparkjson

import (
	"encoding/json"
	"strings"
	"testing"
)

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

func TestStringsAreEscapedAsJacksonDoes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		``: `""`, `a/b <&> 'c'`: `"a/b <&> 'c'"`, "\"\\": `"\"\\"`, "\b\f\n\r\t": `"\b\f\n\r\t"`, "\x00\x1f\x7f": `"\u0000\u001F` + "\x7f" + `"`,
		"né €😀": `"né €😀"`, "\u2028": "\"\u2028\"", "\xff": "\"\ufffd\"",
	} {
		doc := Object{{"k", in}}.String()
		if got := strings.TrimSuffix(strings.TrimPrefix(doc, "{\n  \"k\" : "), "\n}"); got != want {
			t.Errorf("%q is printed %s, want %s", in, got, want)
		}
		if !json.Valid([]byte(doc)) {
			t.Errorf("%q makes no JSON: %s", in, doc)
		}
	}
}

func TestOtherValues(t *testing.T) {
	t.Parallel()
	got := Object{{"a", nil}, {"b", true}, {"c", []string{}}, {"d", -1}, {"e", Object{{"f", Object{}}}}}.String()
	if want := "{\n  \"a\" : null,\n  \"b\" : true,\n  \"c\" : [ ],\n  \"d\" : -1,\n  \"e\" : {\n    \"f\" : { }\n  }\n}"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (Object{}).String(); got != "{ }" {
		t.Errorf("got %s", got)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	o := Object{{"a", 1}, {"b", nil}}
	if v, ok := o.Get("a"); v != 1 || !ok {
		t.Errorf("a: %v, %v", v, ok)
	}
	if v, ok := o.Get("b"); v != nil || !ok {
		t.Errorf("b: %v, %v", v, ok)
	}
	if _, ok := o.Get("c"); ok {
		t.Error("c is there")
	}
}

func TestAValueOfAnotherTypeIsAMistake(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a float was printed")
		}
	}()
	_ = Object{{"a", 1.5}}.String()
}
