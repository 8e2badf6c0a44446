package messages

import (
	"errors"
	"fmt"

	"github.com/firesteel/firesteel/spark/javaser"
)

// EncodeTree writes a tree that was kept from a message (ApplicationDescription.Tree, DriverDescription.Tree,
// Ref.Template) as bytes to be stored. DecodeApplicationDescription, DecodeDriverDescription and DecodeRef bring it back,
// in another process if need be.
func EncodeTree(o *javaser.Object) ([]byte, error) {
	if o == nil {
		return nil, errors.New("encode a tree: there is none; only what came in a message has one")
	}
	return javaser.Encode(o)
}

// EncodeApplicationDescription makes the stored form of a description that did not come in a message: one that a Go
// program submits, or a REST client.
func EncodeApplicationDescription(d *ApplicationDescription, env Env) ([]byte, error) {
	return encodeValue(env, func(b *builder) javaser.Value { return b.applicationDescription(d) })
}

// EncodeDriverDescription is EncodeApplicationDescription for a driver.
func EncodeDriverDescription(d *DriverDescription, env Env) ([]byte, error) {
	return encodeValue(env, func(b *builder) javaser.Value { return b.driverDescription(d) })
}

func encodeValue(env Env, build func(*builder) javaser.Value) ([]byte, error) {
	if env.Classes == nil {
		return nil, errors.New("encode a description: no classes to write it with")
	}
	b := newBuilder(env)
	v := build(b)
	if err := b.failure(); err != nil {
		return nil, fmt.Errorf("encode a description: %w", err)
	}
	return javaser.Encode(v)
}

// DecodeApplicationDescription reads the stored form of an application's description.
func DecodeApplicationDescription(b []byte, lim javaser.Limits) (*ApplicationDescription, error) {
	return decodeValue(b, lim, readApplicationDescription)
}

// DecodeDriverDescription reads the stored form of a driver's description.
func DecodeDriverDescription(b []byte, lim javaser.Limits) (*DriverDescription, error) {
	return decodeValue(b, lim, readDriverDescription)
}

// DecodeRef reads the stored form of a ref.
func DecodeRef(b []byte, lim javaser.Limits) (Ref, error) { return decodeValue(b, lim, readRef) }

func decodeValue[T any](b []byte, lim javaser.Limits, read func(*parser, javaser.Value) (T, error)) (T, error) {
	var zero T
	v, err := javaser.Decode(b, lim)
	if err != nil {
		return zero, err
	}
	out, err := read(newParser(), v)
	if err != nil {
		return zero, err
	}
	return out, nil
}
