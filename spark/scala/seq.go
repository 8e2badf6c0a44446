package scala

import (
	"encoding/binary"
	"strings"

	"github.com/firesteel/firesteel/spark/javaser"
)

// maxShared bounds collections whose size does not follow from the length of the stream: a Vector's blocks or a
// Stream's cells may be shared, so that a few bytes of a hostile message stand for billions of elements.
const maxShared = 1 << 17

// Seq reads the elements of any Seq or Set, in order. The result may share memory with the tree: do not change it.
func Seq(v javaser.Value) ([]javaser.Value, error) {
	o, ok := v.(*javaser.Object)
	if !ok || o == nil {
		return nil, mismatch("Seq", v)
	}
	switch name := ClassOf(o); name {
	case classNil, classEmptySet, classStreamEmpty:
		return nil, nil
	case classProxy:
		return proxied(o)
	case classListProxy:
		return untilEnd(o, o.Annotation(), classListEnd)
	case classListBuffer:
		return listBuffer(o)
	case classImmutRef:
		return arrayField(o, "unsafeArray")
	case classWrapped, classMutableRef:
		return arrayField(o, "array")
	case classArraySeq:
		return arrayPart(o, "length")
	case classArrayBuffer:
		return arrayPart(o, "size0")
	case classVector:
		return vector(o)
	case classStreamCons:
		return evaluated(o)
	case classHashSet:
		return counted(o)
	case classKeySet, classMapKeys, classDefaultKeys:
		return keys(o)
	default:
		if n, rest := strings.CutPrefix(name, classSetPrefix); rest && len(n) == 1 && n >= "1" && n <= "4" {
			return o.Data[len(o.Data)-1].Values, nil // elem1 to elemN
		}
	}
	return nil, mismatch("Seq", v)
}

// Strings reads a Seq or Set of String.
func Strings(v javaser.Value) ([]string, error) {
	values, err := Seq(v)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(values))
	for i := range values {
		if out[i], err = String(values[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// proxied reads what 2.13 writes for most collections (DefaultSerializationProxy.writeObject): the number of elements,
// or -1 and an end marker where it was not known, then the elements.
func proxied(o *javaser.Object) ([]javaser.Value, error) {
	n, rest, err := count(o, 0, 4)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return untilEnd(o, rest, classProxyEnd)
	}
	if n != len(rest) {
		return nil, content(o, "with another number of elements than announced")
	}
	return rest, nil
}

// count reads the block that starts an annotation: an int32 at an offset of a block of size bytes. It returns the rest
// of the annotation.
func count(o *javaser.Object, offset, size int) (int, []javaser.Value, error) {
	parts := o.Annotation()
	if len(parts) > 0 {
		if block, ok := parts[0].(javaser.Block); ok && len(block) == size {
			return int(int32(binary.BigEndian.Uint32(block[offset:]))), parts[1:], nil
		}
	}
	return 0, nil, content(o, "without its number of elements")
}

// counted reads a number and that many elements.
func counted(o *javaser.Object) ([]javaser.Value, error) {
	n, rest, err := count(o, 0, 4)
	if err != nil {
		return nil, err
	}
	if n != len(rest) {
		return nil, content(o, "with another number of elements than announced")
	}
	return rest, nil
}

// untilEnd takes elements up to an end marker, which must be the last part.
func untilEnd(o *javaser.Object, parts []javaser.Value, marker string) ([]javaser.Value, error) {
	if n := len(parts) - 1; n >= 0 && ClassOf(parts[n]) == marker {
		return parts[:n], nil
	}
	return nil, content(o, "without its end")
}

// listBuffer reads the 2.12 form: elements, the end marker, a block with the fields exported and len.
func listBuffer(o *javaser.Object) ([]javaser.Value, error) {
	parts := o.Annotation()
	if n := len(parts) - 1; n >= 0 {
		if _, ok := parts[n].(javaser.Block); ok {
			return untilEnd(o, parts[:n], classListEnd)
		}
	}
	return nil, content(o, "without its end")
}

func arrayField(o *javaser.Object, name string) ([]javaser.Value, error) {
	v, _ := o.Get(name)
	a, ok := v.(*javaser.Array)
	if !ok {
		return nil, content(o, "without its array")
	}
	return a.Values, nil
}

// arrayPart reads the first elements of the field array, as many as another field says.
func arrayPart(o *javaser.Object, sizeField string) ([]javaser.Value, error) {
	values, err := arrayField(o, "array")
	if err != nil {
		return nil, err
	}
	v, _ := o.Get(sizeField)
	n, ok := v.(int32)
	if !ok || n < 0 || int(n) > len(values) {
		return nil, content(o, "whose size does not fit its array")
	}
	return values[:n], nil
}

// evaluated reads a 2.12 Stream whose tails have all been computed; one that has not is a function in there.
func evaluated(o *javaser.Object) ([]javaser.Value, error) {
	var out []javaser.Value
	for o.Class.Name == classStreamCons {
		if len(out) >= maxShared {
			return nil, content(o, "without an end")
		}
		head, _ := o.Get("hd")
		tail, _ := o.Get("tlVal")
		next, ok := tail.(*javaser.Object)
		if !ok {
			return nil, content(o, "that is not evaluated to its end")
		}
		out, o = append(out, head), next
	}
	if ClassOf(o) != classStreamEmpty {
		return nil, content(o, "as the tail of a Stream")
	}
	return out, nil
}

func keys(o *javaser.Object) ([]javaser.Value, error) {
	outer, _ := o.Get("$outer")
	pairs, err := Map(outer)
	if err != nil {
		return nil, err
	}
	out := make([]javaser.Value, len(pairs))
	for i := range pairs {
		out[i] = pairs[i].Key
	}
	return out, nil
}
