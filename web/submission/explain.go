package submission

import "errors"

// Explain says why a request was refused, for people: without the Java exception that clients of the original know it by.
func Explain(err error) string {
	var r *rejection
	switch {
	case !errors.As(err, &r):
		return err.Error()
	case r.reason != "":
		return r.reason
	}
	return r.text
}
