package scala

import "github.com/firesteel/firesteel/spark/javaser"

const (
	vectorBits   = 5 // blocks have 32 slots
	vectorMask   = 1<<vectorBits - 1
	vectorLevels = 6
)

// vector reads a 2.12 immutable.Vector, which is written as it lies in memory: a tree of blocks of 32 with up to six
// levels (display0 to display5). Like VectorPointer.getElem it goes from the focus: display blocks are those on the way
// to the focused element, and while a vector is "dirty" the blocks above do not know them yet.
func vector(o *javaser.Object) ([]javaser.Value, error) {
	var bounds [3]int32
	for i, name := range [...]string{"startIndex", "endIndex", "focus"} {
		v, _ := o.Get(name)
		n, ok := v.(int32)
		if !ok || n < 0 {
			return nil, content(o, "without bounds")
		}
		bounds[i] = n
	}
	start, end, focus := bounds[0], bounds[1], bounds[2]
	if end < start || end-start > maxShared {
		return nil, content(o, "with impossible bounds")
	}
	displays, err := vectorDisplays(o)
	if err != nil {
		return nil, err
	}
	var out []javaser.Value // grows with what is found, not with what is announced
	for i := start; i < end; i++ {
		v, ok := vectorElement(&displays, i, i^focus)
		if !ok {
			return nil, content(o, "with a block missing")
		}
		out = append(out, v)
	}
	return out, nil
}

func vectorDisplays(o *javaser.Object) ([vectorLevels]*javaser.Array, error) {
	var out [vectorLevels]*javaser.Array
	for i, name := range [...]string{"display0", "display1", "display2", "display3", "display4", "display5"} {
		v, ok := o.Get(name)
		a, isArray := v.(*javaser.Array)
		if !ok || v != nil && !isArray {
			return out, content(o, "without "+name)
		}
		out[i] = a
	}
	return out, nil
}

// vectorElement is VectorPointer.getElem(index, xor).
func vectorElement(displays *[vectorLevels]*javaser.Array, index, xor int32) (javaser.Value, bool) {
	level := 0
	for level < vectorLevels-1 && xor >= 1<<(vectorBits*(level+1)) {
		level++
	}
	block := displays[level]
	for ; level > 0; level-- {
		slot := int(index>>(vectorBits*level)) & vectorMask
		if block == nil || slot >= len(block.Values) {
			return nil, false
		}
		block, _ = block.Values[slot].(*javaser.Array)
	}
	slot := int(index) & vectorMask
	if block == nil || slot >= len(block.Values) {
		return nil, false
	}
	return block.Values[slot], true
}
