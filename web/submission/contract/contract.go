// Package contract is what Spark's own Masters of 3.5.9 and 4.3.0 answered to a table of REST submission requests, in the
// order in which they were sent, and how another server's answers are held against it. It is for tests: of the handler
// alone, of masters in one process and of real clusters. The originals ran without workers, so every driver waits.
package contract

import (
	"embed"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"strings"
)

//go:embed original-*.json
var originals embed.FS

// Exchange is one request with the original's answer.
type Exchange struct {
	Name, Method, Path, Body string
	Status                   int
	ContentType              string
	Allow                    string
	Answer                   map[string]any // nil where it was a page
	Title                    string         // of the page
}

// Answer is what a server under test gave.
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}

// Exchanges are those of a release, "3.5.9" or "4.3.0".
func Exchanges(release string) ([]Exchange, error) {
	data, err := originals.ReadFile("original-" + release + ".json")
	if err != nil {
		return nil, err
	}
	var all []Exchange
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	return all, nil
}

// Differs are requests that we answer otherwise on purpose, with the reason.
var Differs = map[string]string{
	"create negative cores": "a driver of fewer than no cores would give its worker cores that it has not",
	"create OPTIONS":        "TRACE, which the original allows, would give headers back",
}

var driverID = regexp.MustCompile(`driver-\d+-\d+`)

// Run sends all exchanges of a release and gives the differences, a line each, and the ids of the drivers that were made. The
// drivers that the original names in paths are those of the server under test, in the order of their submission.
func Run(release string, send func(x Exchange) (Answer, error)) (differences, ids []string, err error) {
	all, err := Exchanges(release)
	if err != nil {
		return nil, nil, err
	}
	var named []string // the original's ids, each for the one at the same place in ids
	for _, x := range all {
		if Differs[x.Name] != "" {
			continue
		}
		for i, o := range named {
			x.Path = strings.ReplaceAll(x.Path, o, ids[i])
		}
		a, err := send(x)
		if err != nil {
			return differences, ids, fmt.Errorf("%s: %w", x.Name, err)
		}
		if d := x.compare(a); d != "" {
			differences = append(differences, x.Name+": "+d)
		}
		var got map[string]any
		made, ok := x.Answer["submissionId"].(string)
		if ok && x.Answer["action"] == "CreateSubmissionResponse" && json.Unmarshal(a.Body, &got) == nil {
			if id, ok := got["submissionId"].(string); ok {
				named, ids = append(named, made), append(ids, id)
			}
		}
	}
	return differences, ids, nil
}

// compare says what is different, "" for nothing that counts.
func (x Exchange) compare(a Answer) string {
	switch {
	case a.Status != x.Status:
		return fmt.Sprintf("%d, the original %d: %s", a.Status, x.Status, a.Body)
	case a.ContentType != x.ContentType:
		return fmt.Sprintf("content type %q, the original %q", a.ContentType, x.ContentType)
	case x.Title != "" && x.Method != http.MethodHead && !strings.Contains(html.UnescapeString(string(a.Body)), "<title>"+html.UnescapeString(x.Title)+"</title>"):
		return fmt.Sprintf("page %s, the original's title %q", a.Body, x.Title)
	case x.Answer == nil:
		return ""
	}
	var got map[string]any
	if err := json.Unmarshal(a.Body, &got); err != nil {
		return fmt.Sprintf("%v: %s", err, a.Body)
	}
	if g, w := comparable(got), comparable(x.Answer); !reflect.DeepEqual(g, w) {
		return fmt.Sprintf("%v\nthe original %v", g, w)
	}
	return ""
}

// comparable leaves out what is ours to say: ids, what follows an exception's first line, the words of a JSON library, and
// what a driver waits for, of which the original says nothing.
func comparable(answer map[string]any) map[string]any {
	out := maps.Clone(answer)
	if out["action"] == "SubmissionStatusResponse" && out["driverState"] == "SUBMITTED" {
		delete(out, "message")
	}
	for k, v := range out {
		s, ok := v.(string)
		if !ok {
			continue
		}
		s = driverID.ReplaceAllString(s, "<id>")
		if k == "message" {
			s, _, _ = strings.Cut(s, "\n\t")
			if strings.Contains(s, "fasterxml") {
				s = "Malformed request: <JSON>"
			}
		}
		out[k] = s
	}
	return out
}
