package fsm

import (
	"encoding/binary"
	"iter"
)

// Shape is what one executor or driver takes from a worker.
type Shape struct {
	Build     string
	Cores     int // at least 1
	MemoryMB  int
	Resources []ResourceAmount
}

// wanted is a shape, and how many profiles of live applications would take another executor of it.
type wanted struct {
	Shape
	profiles int
}

// shapeOf is what an executor of a profile takes from a worker.
func shapeOf(build string, p *Profile) Shape {
	return Shape{Build: build, Cores: max(p.Cores, 1), MemoryMB: p.MemoryMB, Resources: p.Resources}
}

// key names a shape. Texts and lists stand behind their length, so no key begins with another.
func (s Shape) key() []byte {
	b := appendText(make([]byte, 0, len(s.Build)+40), s.Build)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Cores))
	b = binary.BigEndian.AppendUint64(b, uint64(s.MemoryMB))
	b = binary.AppendUvarint(b, uint64(len(s.Resources)))
	for _, r := range s.Resources {
		b = appendText(b, r.Name)
		b = binary.BigEndian.AppendUint64(b, uint64(r.Amount))
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// wants tells whether a profile of an application would take another executor.
func (a *App) wants(p *Profile) bool {
	return !a.State.Ended() && p.Live < p.Target && a.CoresLeft() >= max(p.Cores, 1)
}

// indexWants brings the index of shapes from one record of an application to the next; either may be nil.
func (t *txn) indexWants(old, a *App) {
	if old != nil && a != nil && sameWants(old, a) {
		return
	}
	t.countWants(old, -1)
	t.countWants(a, 1)
}

// sameWants saves most changes of an application from touching the index.
func sameWants(old, a *App) bool {
	if len(old.Profiles) != len(a.Profiles) {
		return false
	}
	for i := range a.Profiles {
		if old.wants(&old.Profiles[i]) != a.wants(&a.Profiles[i]) || old.Profiles[i].ID != a.Profiles[i].ID {
			return false
		}
	}
	return true
}

func (t *txn) countWants(a *App, by int) {
	if a == nil {
		return
	}
	for i := range a.Profiles {
		p := &a.Profiles[i]
		if !a.wants(p) {
			continue
		}
		w := &wanted{Shape: shapeOf(a.Build, p)}
		key := w.key()
		if old, ok := t.wantedShapes.Get(key); ok {
			*w = *old
		}
		if w.profiles += by; w.profiles <= 0 {
			t.wantedShapes.Delete(key)
			continue
		}
		t.wantedShapes.Insert(key, w)
	}
}

// WantedShapes are what live applications would take more of, each once.
func (s *State) WantedShapes() iter.Seq[*Shape] {
	return func(yield func(*Shape) bool) {
		for w := range all(s.wantedShapes) {
			if !yield(&w.Shape) {
				return
			}
		}
	}
}

// WantedShapeCount is how many there are.
func (s *State) WantedShapeCount() int { return s.wantedShapes.Len() }
