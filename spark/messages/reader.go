package messages

import (
	"fmt"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// parser is what the readers of one message share.
type parser struct {
	left int // how many more elements of collections may be read
}

// maxElements bounds the collections of one message, all together: far above the largest of them, the executors of a
// worker with their resources. The length of the stream bounds nothing here. A list may name one object a thousand
// times, which holds a list that names another a thousand times, and so on.
const maxElements = 1 << 18

func newParser() *parser { return &parser{left: maxElements} }

func (p *parser) spend(n int) error {
	if n > p.left {
		return fmt.Errorf("%w: more than %d elements of collections", ErrMalformed, maxElements)
	}
	p.left -= n
	return nil
}

// reader takes the fields of one object and keeps the first error.
type reader struct {
	p   *parser
	o   *javaser.Object
	err error
}

// fields returns a reader of an object of a class.
func fields(p *parser, v javaser.Value, class string) (*reader, error) {
	o, ok := v.(*javaser.Object)
	if !ok || o.Class.Name != class {
		got := scala.ClassOf(v)
		if got == "" {
			got = fmt.Sprintf("%T", v)
		}
		return nil, fmt.Errorf("%w: want %s, got %s", ErrMalformed, class, got)
	}
	return &reader{p: p, o: o}, nil
}

func (r *reader) fail(name string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: field %s: %w", ErrMalformed, name, err)
	}
}

// take reads a field with a function that knows its type.
func take[T any](r *reader, name string, read func(*parser, javaser.Value) (T, error)) T {
	var zero T
	if r.err != nil {
		return zero
	}
	v, ok := r.o.Get(name)
	if !ok {
		r.err = fmt.Errorf("%w: no field %s", ErrMalformed, name)
		return zero
	}
	out, err := read(r.p, v)
	if err != nil {
		r.fail(name, err)
		return zero
	}
	return out
}

// option reads an Option; nil is a None.
func option[T any](r *reader, name string, read func(*parser, javaser.Value) (T, error)) *T {
	return take(r, name, func(p *parser, v javaser.Value) (*T, error) {
		inner, some, err := scala.Option(v)
		if err != nil || !some {
			return nil, err
		}
		out, err := read(p, inner)
		if err != nil {
			return nil, err
		}
		return &out, nil
	})
}

// list reads a Seq or List.
func list[T any](r *reader, name string, read func(*parser, javaser.Value) (T, error)) []T {
	return take(r, name, func(p *parser, v javaser.Value) ([]T, error) {
		values, err := scala.Seq(v)
		if err != nil || len(values) == 0 {
			return nil, err
		}
		if err := p.spend(len(values)); err != nil {
			return nil, err
		}
		out := make([]T, len(values))
		for i := range values {
			if out[i], err = read(p, values[i]); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
		}
		return out, nil
	})
}

// stringMap reads a Map[String, T].
func stringMap[T any](r *reader, name string, read func(*parser, javaser.Value) (T, error)) map[string]T {
	return take(r, name, func(p *parser, v javaser.Value) (map[string]T, error) {
		pairs, err := scala.Map(v)
		if err != nil || len(pairs) == 0 {
			return nil, err
		}
		if err := p.spend(len(pairs)); err != nil {
			return nil, err
		}
		out := make(map[string]T, len(pairs))
		for _, pair := range pairs {
			key, err := scala.String(pair.Key)
			if err != nil {
				return nil, fmt.Errorf("key: %w", err)
			}
			if out[key], err = read(p, pair.Value); err != nil {
				return nil, fmt.Errorf("value of %q: %w", key, err)
			}
		}
		return out, nil
	})
}

func (r *reader) str(name string) string      { return take(r, name, readString) }
func (r *reader) strs(name string) []string   { return list(r, name, readString) }
func (r *reader) bool(name string) bool       { return take(r, name, readBool) }
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

func readText(_ *parser, v javaser.Value) (string, error) {
	if v == nil {
		return "", nil
	}
	return scala.String(v)
}

func readInt(_ *parser, v javaser.Value) (int, error) {
	n, err := scala.Int(v)
	return int(n), err
}

func readString(_ *parser, v javaser.Value) (string, error)  { return scala.String(v) }
func readBool(_ *parser, v javaser.Value) (bool, error)      { return scala.Bool(v) }
func readLong(_ *parser, v javaser.Value) (int64, error)     { return scala.Long(v) }
func readDouble(_ *parser, v javaser.Value) (float64, error) { return scala.Double(v) }
