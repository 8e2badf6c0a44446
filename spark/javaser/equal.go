package javaser

import "math"

// Equal tells whether two trees say the same: the same classes (names, serialVersionUIDs, fields), the same values, the
// same shape. Which strings or descriptors are shared within a tree does not count, and neither does it whether one
// object stands in two places or two equal ones do. Floats are compared by their bits.
func Equal(a, b Value) bool {
	return (&comparison{seen: map[[2]any]struct{}{}}).values(a, b)
}

// comparison assumes pairs that it has met to be equal: what makes them differ is found where they were met first. So
// it ends on cyclic graphs.
type comparison struct {
	seen map[[2]any]struct{}
}

// met tells whether a pair of pointers needs no further look.
func (c *comparison) met(a, b any) bool {
	if a == b {
		return true
	}
	pair := [2]any{a, b}
	_, met := c.seen[pair]
	c.seen[pair] = struct{}{}
	return met
}

func (c *comparison) values(a, b Value) bool {
	switch a := a.(type) {
	case Block:
		b, ok := b.(Block)
		return ok && string(a) == string(b)
	case float32:
		b, ok := b.(float32)
		return ok && math.Float32bits(a) == math.Float32bits(b)
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	case *Object:
		b, ok := b.(*Object)
		return ok && (c.met(a, b) || a != nil && b != nil && c.objects(a, b))
	case *Array:
		b, ok := b.(*Array)
		return ok && (c.met(a, b) || a != nil && b != nil && c.classes(a.Class, b.Class) && c.lists(a.Values, b.Values))
	case *Enum:
		b, ok := b.(*Enum)
		return ok && (a == b || a != nil && b != nil && a.Name == b.Name && c.classes(a.Class, b.Class))
	case *Class:
		b, ok := b.(*Class)
		return ok && (a == b || a != nil && b != nil && c.classes(a.Desc, b.Desc))
	}
	if _, block := b.(Block); block { // not comparable
		return false
	}
	return a == b
}

func (c *comparison) lists(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !c.values(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (c *comparison) objects(a, b *Object) bool {
	if !c.classes(a.Class, b.Class) || len(a.Data) != len(b.Data) {
		return false
	}
	for i := range a.Data {
		x, y := &a.Data[i], &b.Data[i]
		if !c.classes(x.Class, y.Class) || !c.lists(x.Values, y.Values) || !c.lists(x.Annotation, y.Annotation) {
			return false
		}
	}
	return true
}

func (c *comparison) classes(a, b *ClassDesc) bool {
	if a == nil || b == nil {
		return a == b
	}
	if c.met(a, b) {
		return true
	}
	if a.Name != b.Name || a.SUID != b.SUID || a.Flags != b.Flags || len(a.Fields) != len(b.Fields) {
		return false
	}
	for i := range a.Fields {
		if a.Fields[i] != b.Fields[i] {
			return false
		}
	}
	return c.lists(a.Annotation, b.Annotation) && c.classes(a.Super, b.Super)
}
