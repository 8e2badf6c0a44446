package scala

import "github.com/firesteel/firesteel/spark/javaser"

// Throwable reads the class and the message of any exception; the message is "" where it is null.
func Throwable(v javaser.Value) (class, message string, err error) {
	o, ok := v.(*javaser.Object)
	if !ok || o == nil {
		return "", "", mismatch("Throwable", v)
	}
	for i := range o.Data {
		if o.Data[i].Class.Name != classThrowable {
			continue
		}
		for j, f := range o.Data[i].Class.Fields {
			if f.Name == "detailMessage" && j < len(o.Data[i].Values) {
				message, _ = o.Data[i].Values[j].(string)
			}
		}
		return o.Class.Name, message, nil
	}
	return "", "", mismatch("Throwable", v)
}

// Throwable writes an exception of a class that extends java.lang.Throwable and has no fields of its own, without cause
// and stack trace.
func (w *Writer) Throwable(class, message string) javaser.Value {
	v := w.Object(class,
		F{"detailMessage", message},
		F{"stackTrace", w.Array(classTrace)},
		F{"suppressedExceptions", w.Object(classEmptyList)})
	if o, ok := v.(*javaser.Object); ok {
		w.note(o.Set("cause", o)) // Throwable's word for "not set"
	}
	return v
}
