package javaser

// Limits bound what one Decode may cost. A zero field stands for that of DefaultLimits.
type Limits struct {
	MaxBytes    int // length of the stream
	MaxDepth    int // nesting of values, class descriptors and superclasses
	MaxHandles  int // objects, arrays, strings, enums, classes and class descriptors
	MaxElements int // field values, array elements, annotation parts and per-class data, all together
}

// DefaultLimits suit messages between Spark's master, workers and drivers. The largest of them, an application's
// description with a long class path and full environment, has some hundred kilobytes, a nesting below 30 and a few
// thousand elements.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 16 << 20, MaxDepth: 256, MaxHandles: 1 << 18, MaxElements: 1 << 20}
}

func (l Limits) filled() Limits {
	d := DefaultLimits()
	if l.MaxBytes <= 0 {
		l.MaxBytes = d.MaxBytes
	}
	if l.MaxDepth <= 0 {
		l.MaxDepth = d.MaxDepth
	}
	if l.MaxHandles <= 0 {
		l.MaxHandles = d.MaxHandles
	}
	if l.MaxElements <= 0 {
		l.MaxElements = d.MaxElements
	}
	return l
}
