package submission

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/firesteel/firesteel/config"
)

// Request is a CreateSubmissionRequest.
type Request struct {
	ClientVersion string // clientSparkVersion
	AppResource   string // URL of a jar, or of a Python or R program; "" for none
	MainClass     string
	Args          []string
	Environment   map[string]string
	Properties    map[string]string // spark.*
	Unknown       []string          // top-level fields that the protocol has not, in the order in which they came
}

// rejection is a request that gets an error instead of an answer.
type rejection struct {
	status int
	class  string // the Java exception that the original names
	text   string
	reason string // what the original does not say, for people
}

func (r *rejection) Error() string { return r.class + ": " + r.text }

// Exceptions that clients of the original see by name.
const (
	protocolException = "org.apache.spark.deploy.rest.SubmitRestProtocolException"
	missingField      = "org.apache.spark.deploy.rest.SubmitRestMissingFieldException"
	jsonParse         = "com.fasterxml.jackson.core.JsonParseException"
	jsonMismatch      = "com.fasterxml.jackson.databind.exc.MismatchedInputException"
	numberFormat      = "java.lang.NumberFormatException"
	sparkException    = "org.apache.spark.SparkException"
	nullPointer       = "java.lang.NullPointerException"
	classNotFound     = "java.lang.ClassNotFoundException"
)

const createAction = "CreateSubmissionRequest"

// otherActions are the protocol's other messages: known, but no request to create anything. Any other name makes the
// original fail to find the class, which is a server error (500).
var otherActions = []string{
	"CreateSubmissionResponse", "KillSubmissionResponse", "KillAllSubmissionResponse", "SubmissionStatusResponse", "ClearResponse", "ReadyzResponse", "ErrorResponse",
}

// ParseRequest reads the body of a request to create a submission. What follows the JSON value is ignored, as in Spark;
// where Spark's JSON library takes numbers and truth values for text, so does this.
func ParseRequest(body []byte) (*Request, error) {
	fields, order, err := topLevel(body)
	if err != nil {
		return nil, err
	}
	action, ok := fields["action"].(string)
	if !ok {
		return nil, &rejection{status: 400, class: missingField, text: "Action field not found in JSON:\n" + string(body)}
	}
	if action != createAction {
		if slices.Contains(otherActions, action) {
			return nil, invalid(action, "it is no request to create a submission")
		}
		return nil, &rejection{status: 500, class: classNotFound, text: "org.apache.spark.deploy.rest." + action}
	}
	r, err := read(fields, order)
	if err != nil {
		return nil, err
	}
	return r, r.validate(fields)
}

func invalid(action, reason string) *rejection {
	return &rejection{status: 400, class: protocolException, text: "Validation of message " + action + " failed!", reason: reason}
}

// topLevel decodes one JSON value. fields is empty where that is not an object.
func topLevel(body []byte) (fields map[string]any, order []string, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	start, err := d.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil, &rejection{status: 400, class: jsonMismatch, text: "No content to map due to end-of-input"}
	case err != nil:
		return nil, nil, notJSON(err)
	case start != json.Delim('{'):
		return nil, nil, nil
	}
	fields = map[string]any{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, notJSON(err)
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, nil, notJSON(err)
		}
		name, _ := key.(string)
		if _, again := fields[name]; !again {
			order = append(order, name)
		}
		fields[name] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, notJSON(err)
	}
	return fields, order, nil
}

func notJSON(err error) error {
	return &rejection{status: 400, class: jsonParse, text: "the body is not JSON: " + err.Error()}
}

func read(fields map[string]any, order []string) (*Request, error) {
	r := &Request{}
	var err error
	take := func(name string, f func(any) error) {
		if v, ok := fields[name]; ok && v != nil && err == nil {
			e := f(v)
			if no := new(rejection); errors.As(e, &no) {
				err = no
			} else if e != nil {
				err = &rejection{status: 400, class: jsonMismatch, text: fmt.Sprintf("field %q: %v", name, e)}
			}
		}
	}
	text := func(into *string) func(any) error {
		return func(v any) (err error) { *into, err = scalar(v); return err }
	}
	var ignored string
	take("clientSparkVersion", text(&r.ClientVersion))
	take("appResource", text(&r.AppResource))
	take("mainClass", text(&r.MainClass))
	take("message", text(&ignored))
	take("serverSparkVersion", text(&ignored))
	take("appArgs", func(v any) (err error) { r.Args, err = list(v); return err })
	take("environmentVariables", func(v any) (err error) { r.Environment, err = dictionary(v); return err })
	take("sparkProperties", func(v any) (err error) { r.Properties, err = dictionary(v); return err })
	if err != nil {
		return nil, err
	}
	known := []string{"action", "clientSparkVersion", "appResource", "mainClass", "message", "serverSparkVersion", "appArgs", "environmentVariables", "sparkProperties"}
	for _, name := range order {
		if !slices.Contains(known, name) {
			r.Unknown = append(r.Unknown, name)
		}
	}
	return r, nil
}

var errNoText = errors.New("it must be text")

func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", errNoText
}

func list(v any) ([]string, error) {
	values, ok := v.([]any)
	if !ok {
		return nil, errors.New("it must be a list of texts")
	}
	out := make([]string, 0, len(values))
	for _, v := range values {
		s, err := scalar(v)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func dictionary(v any) (map[string]string, error) {
	values, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it must be an object of texts")
	}
	out := make(map[string]string, len(values))
	for k, v := range values {
		if v == nil {
			// The original takes it, and then fails with this.
			return nil, &rejection{status: 500, class: nullPointer, text: "null value for " + k}
		}
		s, err := scalar(v)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", k, err)
		}
		out[k] = s
	}
	return out, nil
}

// validate is CreateSubmissionRequest.doValidate, with StandaloneSubmitRequestServlet's own check of the main class.
func (r *Request) validate(fields map[string]any) error {
	for _, name := range []string{"clientSparkVersion", "appResource", "sparkProperties"} {
		if fields[name] == nil {
			return invalid(createAction, "its field "+name+" is missing")
		}
	}
	checks := []struct {
		key   string
		check func(string) error
	}{
		{"spark.driver.supervise", isBoolean}, {"spark.driver.cores", isNumber}, {"spark.cores.max", isNumber},
		{"spark.driver.memory", isMemory}, {"spark.executor.memory", isMemory},
	}
	for _, c := range checks {
		if v, ok := r.Properties[c.key]; ok {
			if err := c.check(v); err != nil {
				return invalid(createAction, fmt.Sprintf("its property %s is %q: %v", c.key, v, err))
			}
		}
	}
	if fields["mainClass"] == nil {
		return &rejection{status: 400, class: missingField, text: "Main class is missing."}
	}
	return nil
}

func isBoolean(v string) error {
	if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
		return errors.New("it must be true or false")
	}
	return nil
}

func isNumber(v string) error {
	if _, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err != nil {
		return errors.New("it must be a number")
	}
	return nil
}

func isMemory(v string) error { _, err := config.ParseBytes(v, config.Byte); return err }
