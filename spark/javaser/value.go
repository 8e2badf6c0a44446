package javaser

// Value is one value of a decoded object stream: nil (TC_NULL), string, bool, int8, int16, uint16 (a Java char),
// int32, int64, float32, float64, *Object, *Array, *Enum, *Class, or (only inside an Annotation) Block.
// The same pointer in two places of a tree is one Java object referred to twice.
type Value any

// Block is primitive data that a writeObject method put between objects (TC_BLOCKDATA), in annotations only.
type Block []byte

// Flags of a class descriptor (java.io.ObjectStreamConstants).
const (
	FlagWriteMethod    = 0x01 // the class has a writeObject method: its data ends with an annotation
	FlagSerializable   = 0x02
	FlagExternalizable = 0x04
	FlagBlockData      = 0x08
	FlagEnum           = 0x10
)

// Field is one serializable field of a class: its name and its JVM type signature ("I", "Ljava/lang/String;", "[B").
type Field struct {
	Name string
	Type string
}

// ClassDesc is a class as a stream describes it (java.io.ObjectStreamClass). Descriptors are immutable once built and
// may be shared between messages and goroutines.
type ClassDesc struct {
	Name       string // binary name with dots; arrays as "[Ljava.lang.String;"
	SUID       int64  // serialVersionUID
	Flags      byte
	Fields     []Field    // primitives first, then references, each sorted by name: the order on the wire
	Super      *ClassDesc // nil where the superclass is not serializable
	Annotation []Value    // what annotateClass wrote; nearly always empty
}

// ClassData is the part of an object that one class of its hierarchy contributed.
type ClassData struct {
	Class      *ClassDesc
	Values     []Value // as Class.Fields, in the same order; nil for a class whose writeObject skips the default fields
	Annotation []Value // what writeObject added, without the TC_ENDBLOCKDATA
}

// Object is an instance: the data of its classes from the topmost serializable superclass down to Class.
type Object struct {
	Class *ClassDesc
	Data  []ClassData
}

// Array is a Java array. Values holds its elements (bytes as int8, and so on).
type Array struct {
	Class  *ClassDesc
	Values []Value
}

// Enum is a constant of a java.lang.Enum class.
type Enum struct {
	Class *ClassDesc
	Name  string
}

// Class is a java.lang.Class object.
type Class struct {
	Desc *ClassDesc
}
