package scala

import (
	"strings"

	"github.com/firesteel/firesteel/spark/javaser"
)

// Pair is an entry of a Map.
type Pair struct {
	Key   javaser.Value
	Value javaser.Value
}

// Map reads the entries of any Map, mutable or not, in the order they were written.
func Map(v javaser.Value) ([]Pair, error) {
	// A withDefault map wraps another one. Nobody wraps often: more is a loop.
	for range 8 {
		o, ok := v.(*javaser.Object)
		if !ok || o == nil {
			return nil, mismatch("Map", v)
		}
		if o.Class.Name != classMapDefault {
			return entries(o)
		}
		v, _ = o.Get("underlying")
	}
	return nil, mismatch("Map", v)
}

func entries(o *javaser.Object) ([]Pair, error) {
	switch name := ClassOf(o); name {
	case classEmptyMap:
		return nil, nil
	case classProxy:
		return tuples(o)
	case classHashMapProxy:
		n, rest, err := count(o, 0, 4)
		if err != nil {
			return nil, err
		}
		return alternating(o, n, rest)
	case classMutableMap, classMutableLinked:
		// HashTable.serializeTo: int loadFactor, int size, int seed, boolean sizeMapDefined.
		n, rest, err := count(o, 4, 13)
		if err != nil {
			return nil, err
		}
		return alternating(o, n, rest)
	default:
		if n, rest := strings.CutPrefix(name, classMapPrefix); rest && len(n) == 1 && n >= "1" && n <= "4" {
			return small(o, int(n[0]-'0'))
		}
	}
	return nil, mismatch("Map", o)
}

// small reads Map1 to Map4. Their fields come sorted: all keys, then all values.
func small(o *javaser.Object, n int) ([]Pair, error) {
	values := o.Data[len(o.Data)-1].Values
	if len(values) != 2*n {
		return nil, content(o, "with another number of fields")
	}
	out := make([]Pair, n)
	for i := range out {
		out[i] = Pair{values[i], values[n+i]}
	}
	return out, nil
}

// alternating reads key, value, key, value.
func alternating(o *javaser.Object, n int, parts []javaser.Value) ([]Pair, error) {
	if n < 0 || len(parts) != 2*n {
		return nil, content(o, "with another number of entries than announced")
	}
	out := make([]Pair, n)
	for i := range out {
		out[i] = Pair{parts[2*i], parts[2*i+1]}
	}
	return out, nil
}

// tuples reads a 2.13 proxy of Tuple2s.
func tuples(o *javaser.Object) ([]Pair, error) {
	values, err := proxied(o)
	if err != nil {
		return nil, err
	}
	out := make([]Pair, len(values))
	for i, v := range values {
		t, ok := v.(*javaser.Object)
		if !ok || t.Class.Name != classTuple2 {
			return nil, mismatch("Tuple2", v)
		}
		out[i].Key, _ = t.Get("_1")
		out[i].Value, _ = t.Get("_2")
	}
	return out, nil
}

// StringMap reads a Map[String, String].
func StringMap(v javaser.Value) (map[string]string, error) {
	pairs, err := Map(v)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		k, err := String(p.Key)
		if err != nil {
			return nil, err
		}
		if out[k], err = String(p.Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}
