package javaser

// The grammar's terminals (java.io.ObjectStreamConstants).
const (
	streamMagic   = 0xACED
	streamVersion = 5
	baseHandle    = 0x7E0000

	tcNull           = 0x70
	tcReference      = 0x71
	tcClassDesc      = 0x72
	tcObject         = 0x73
	tcString         = 0x74
	tcArray          = 0x75
	tcClass          = 0x76
	tcBlockData      = 0x77
	tcEndBlockData   = 0x78
	tcReset          = 0x79
	tcBlockDataLong  = 0x7A
	tcException      = 0x7B
	tcLongString     = 0x7C
	tcProxyClassDesc = 0x7D
	tcEnum           = 0x7E
)

// bareWriters are classes whose writeObject does not write the default fields: their descriptor names fields, but their
// data starts with what writeObject wrote. Nothing in the stream tells, so they are listed. The serialVersionUID is part
// of the key: scala 2.13 has a class of the same name without the quirk.
var bareWriters = map[string]int64{
	"scala.collection.mutable.ListBuffer": 3419063961353022662, // scala 2.12: elements, ListSerializeEnd$, block(exported, len)
}

// writesFields tells whether objects of the class carry the values of its Fields.
func (c *ClassDesc) writesFields() bool {
	if c.Flags&FlagSerializable == 0 {
		return false
	}
	if c.Flags&FlagWriteMethod == 0 {
		return true
	}
	suid, bare := bareWriters[c.Name]
	return !bare || suid != c.SUID
}

// annotated tells whether the data of the class ends with an annotation.
func (c *ClassDesc) annotated() bool {
	if c.Flags&FlagExternalizable != 0 {
		return c.Flags&FlagBlockData != 0
	}
	return c.Flags&FlagSerializable != 0 && c.Flags&FlagWriteMethod != 0
}

// width is the number of bytes a value of a JVM type takes at least: primitives as they are, references one type code.
// It is 0 for a signature that is none.
func width(signature string) int {
	if signature == "" {
		return 0
	}
	switch signature[0] {
	case 'B', 'Z', 'L', '[':
		return 1
	case 'C', 'S':
		return 2
	case 'I', 'F':
		return 4
	case 'J', 'D':
		return 8
	}
	return 0
}
