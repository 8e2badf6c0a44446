package javaser

// VisitClasses calls visit once for every class descriptor that a stream of v would hold: those of objects, arrays,
// enum constants and class objects, with their superclasses.
func VisitClasses(v Value, visit func(*ClassDesc)) {
	w := walk{visit: visit, seen: map[any]struct{}{}}
	w.value(v)
}

type walk struct {
	visit func(*ClassDesc)
	seen  map[any]struct{}
}

func (w *walk) first(p any) bool {
	_, seen := w.seen[p]
	w.seen[p] = struct{}{}
	return !seen
}

func (w *walk) value(v Value) {
	switch v := v.(type) {
	case *Object:
		if v == nil || !w.first(v) {
			return
		}
		w.class(v.Class)
		for i := range v.Data {
			w.values(v.Data[i].Values)
			w.values(v.Data[i].Annotation)
		}
	case *Array:
		if v != nil && w.first(v) {
			w.class(v.Class)
			w.values(v.Values)
		}
	case *Enum:
		if v != nil {
			w.class(v.Class)
		}
	case *Class:
		if v != nil {
			w.class(v.Desc)
		}
	}
}

func (w *walk) values(values []Value) {
	for _, v := range values {
		w.value(v)
	}
}

func (w *walk) class(c *ClassDesc) {
	for ; c != nil && w.first(c); c = c.Super {
		w.visit(c)
		w.values(c.Annotation)
	}
}
