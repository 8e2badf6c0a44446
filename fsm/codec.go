package fsm

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Records and commands are CBOR maps with small integer keys: one Go type serves as state, command and snapshot record,
// the encoding is deterministic (RFC 8949 core deterministic), which makes the digest of a state a hash of its records,
// and a key that is not known is skipped. Keys are appended, never used again for something else.
var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		MaxArrayElements: 1 << 22,
		MaxMapPairs:      1 << 20,
		MaxNestedLevels:  16,
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		// Java strings may hold lone surrogates, which are no valid UTF-8. What a door let in must not stop the masters.
		UTF8: cbor.UTF8DecodeInvalid,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options above are constants: this can only fail in development
	}
	return v
}

func marshal(v any) []byte {
	b, err := encMode.Marshal(v)
	if err != nil {
		// Every type that comes here is one of ours, made of strings, numbers, slices and maps: it cannot fail.
		panic(fmt.Sprintf("fsm: cannot encode %T: %v", v, err))
	}
	return b
}

func unmarshal(b []byte, v any) error {
	if err := decMode.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %T of %d bytes: %w", v, len(b), err)
	}
	return nil
}
