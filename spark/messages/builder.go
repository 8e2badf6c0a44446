package messages

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// builder makes the tree of one message.
type builder struct {
	*scala.Writer
	env Env
	err error
}

func newBuilder(env Env) *builder { return &builder{Writer: scala.NewWriter(env.Classes), env: env} }

// failure is the first error of what was built.
func (b *builder) failure() error {
	if b.err != nil {
		return b.err
	}
	return b.Err()
}

func (b *builder) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

// i32 is an Int field's value.
func (b *builder) i32(n int) int32 {
	if n < math.MinInt32 || n > math.MaxInt32 {
		b.note(fmt.Errorf("%w: %d does not fit an Int", ErrMalformed, n))
	}
	return int32(n)
}

// optionText writes an Option[String]: None for "".
func (b *builder) optionText(s string) javaser.Value {
	if s == "" {
		return b.None()
	}
	return b.Some(s)
}

// optionInt writes an Option[Int]: None for nil.
func (b *builder) optionInt(n *int) javaser.Value {
	if n == nil {
		return b.None()
	}
	return b.Some(b.Int(b.i32(*n)))
}

// listOf writes a List.
func listOf[T any](b *builder, values []T, write func(T) javaser.Value) javaser.Value {
	out := make([]javaser.Value, len(values))
	for i := range values {
		out[i] = write(values[i])
	}
	return b.List(out...)
}

// mapOf writes a Map[String, T], sorted by key: the same value is always the same bytes.
func mapOf[T any](b *builder, values map[string]T, write func(string, T) javaser.Value) javaser.Value {
	pairs := make([]scala.Pair, 0, len(values))
	for _, k := range slices.Sorted(maps.Keys(values)) {
		pairs = append(pairs, scala.Pair{Key: k, Value: write(k, values[k])})
	}
	return b.Map(pairs)
}
