package scala

import (
	"errors"
	"fmt"

	"github.com/firesteel/firesteel/spark/javaser"
)

var (
	// ErrType says that a value is of another type than the reader asked for.
	ErrType = errors.New("value of another type")
	// ErrContent says that a value is of the right class, but its content can not be: a List without its end, say.
	ErrContent = errors.New("value with impossible content")
	// ErrDialect says that a Dialect is neither Scala 2.12 nor 2.13.
	ErrDialect = errors.New("unknown Scala version")
)

func mismatch(want string, v javaser.Value) error {
	return fmt.Errorf("%w: want %s, got %s", ErrType, want, describe(v))
}

func content(o *javaser.Object, problem string) error {
	return fmt.Errorf("%w: %s %s", ErrContent, o.Class.Name, problem)
}

// describe names what a value is, for messages: it must not print what a peer sent.
func describe(v javaser.Value) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "java.lang.String"
	case *javaser.Object:
		return ClassOf(v)
	case *javaser.Array:
		return v.Class.Name
	case *javaser.Enum:
		return v.Class.Name
	case *javaser.Class:
		return "java.lang.Class"
	}
	return fmt.Sprintf("%T", v)
}
