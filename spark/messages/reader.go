package messages

import (
	"fmt"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// reader takes the fields of one object and keeps the first error.
type reader struct {
	o   *javaser.Object
	err error
}

// fields returns a reader of an object of a class.
func fields(v javaser.Value, class string) (*reader, error) {
	o, ok := v.(*javaser.Object)
	if !ok || o.Class.Name != class {
		got := scala.ClassOf(v)
		if got == "" {
			got = fmt.Sprintf("%T", v)
		}
		return nil, fmt.Errorf("%w: want %s, got %s", ErrMalformed, class, got)
	}
	return &reader{o: o}, nil
}

func (r *reader) fail(name string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: field %s: %w", ErrMalformed, name, err)
	}
}

// take reads a field with a function that knows its type.
func take[T any](r *reader, name string, read func(javaser.Value) (T, error)) T {
	var zero T
	if r.err != nil {
		return zero
	}
	v, ok := r.o.Get(name)
	if !ok {
		r.err = fmt.Errorf("%w: no field %s", ErrMalformed, name)
		return zero
	}
	out, err := read(v)
	if err != nil {
		r.fail(name, err)
		return zero
	}
	return out
}

// option reads an Option; nil is a None.
func option[T any](r *reader, name string, read func(javaser.Value) (T, error)) *T {
	return take(r, name, func(v javaser.Value) (*T, error) {
		inner, some, err := scala.Option(v)
		if err != nil || !some {
			return nil, err
		}
		out, err := read(inner)
		if err != nil {
			return nil, err
		}
		return &out, nil
	})
}

// list reads a Seq or List.
func list[T any](r *reader, name string, read func(javaser.Value) (T, error)) []T {
	return take(r, name, func(v javaser.Value) ([]T, error) {
		values, err := scala.Seq(v)
		if err != nil || len(values) == 0 {
			return nil, err
		}
		out := make([]T, len(values))
		for i := range values {
			if out[i], err = read(values[i]); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
		}
		return out, nil
	})
}

// stringMap reads a Map[String, T].
func stringMap[T any](r *reader, name string, read func(javaser.Value) (T, error)) map[string]T {
	return take(r, name, func(v javaser.Value) (map[string]T, error) {
		pairs, err := scala.Map(v)
		if err != nil || len(pairs) == 0 {
			return nil, err
		}
		out := make(map[string]T, len(pairs))
		for _, p := range pairs {
			key, err := scala.String(p.Key)
			if err != nil {
				return nil, fmt.Errorf("key: %w", err)
			}
			if out[key], err = read(p.Value); err != nil {
				return nil, fmt.Errorf("value of %q: %w", key, err)
			}
		}
		return out, nil
	})
}

func (r *reader) str(name string) string      { return take(r, name, scala.String) }
func (r *reader) strs(name string) []string   { return list(r, name, scala.String) }
func (r *reader) bool(name string) bool       { return take(r, name, scala.Bool) }
func (r *reader) int(name string) int         { return take(r, name, readInt) }
func (r *reader) ref(name string) Ref         { return take(r, name, readRef) }
func (r *reader) address(name string) Address { return take(r, name, readAddress) }

// text reads a String that the program may have left null: "" then.
func (r *reader) text(name string) string { return take(r, name, readText) }

// optionText reads an Option[String]: "" for a None.
func (r *reader) optionText(name string) string {
	if s := option(r, name, readText); s != nil {
		return *s
	}
	return ""
}

func readText(v javaser.Value) (string, error) {
	if v == nil {
		return "", nil
	}
	return scala.String(v)
}

func readInt(v javaser.Value) (int, error) {
	n, err := scala.Int(v)
	return int(n), err
}
