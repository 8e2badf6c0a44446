package javaser

import "errors"

// Reasons why a stream or a tree is refused. Decode and Encode wrap them with what was read and where.
var (
	ErrTruncated   = errors.New("java object stream ends too early")
	ErrTrailing    = errors.New("bytes after the end of the object")
	ErrMalformed   = errors.New("malformed java object stream")
	ErrUnsupported = errors.New("construct of java serialization that is not supported")
	ErrTooLarge    = errors.New("java object stream larger than allowed")
	ErrTooDeep     = errors.New("values nested deeper than allowed")
	ErrTooMany     = errors.New("more values or handles than allowed")

	// ErrInvalidTree is Encode's word for a tree that no stream can hold: an int where the class has a String, the
	// data of a class missing, and the like.
	ErrInvalidTree = errors.New("value tree can not be written as a java object stream")
	// ErrNoField is returned by Object.Set for a name that no class of the object has.
	ErrNoField = errors.New("no such field")
)
