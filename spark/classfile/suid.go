package classfile

import (
	"cmp"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// ErrNotStatic tells that a class's stream form is decided by code that only a JVM can run.
var ErrNotStatic = errors.New("the stream form of the class is computed at run time")

// DefaultSUID is the serialVersionUID that a JVM computes for a class that declares none
// (ObjectStreamClass.computeDefaultSUID; Java Object Serialization Specification 4.6): the first eight bytes, in
// little-endian order, of the SHA-1 over name, modifiers, interfaces and non-private members. It presumes that the class is serializable.
func (c *Class) DefaultSUID() int64 {
	h := sumWriter{sha1.New()}
	h.utf(c.Name)
	h.int(c.suidModifiers())
	for _, name := range slices.SortedFunc(slices.Values(c.Interfaces), compareNames) {
		h.utf(name)
	}
	h.fields(c.Fields)
	if slices.ContainsFunc(c.Methods, isStaticInitializer) {
		h.member("<clinit>", accStatic, "()V")
	}
	h.methods(c.Methods, func(m *Member) bool { return m.Name == "<init>" })
	h.methods(c.Methods, func(m *Member) bool { return !strings.HasPrefix(m.Name, "<") })
	return int64(binary.LittleEndian.Uint64(h.Sum(nil)))
}

func isStaticInitializer(m Member) bool { return m.Name == "<clinit>" }

// suidModifiers applies javac's old habit, which the specification froze: an interface counts as abstract exactly when it has methods.
func (c *Class) suidModifiers() uint16 {
	mods := c.Modifiers & (accPublic | accFinal | accInterface | accAbstract)
	if mods&accInterface == 0 {
		return mods
	}
	mods &^= accAbstract
	for _, m := range c.Methods {
		if m.Name != "<clinit>" {
			return mods | accAbstract
		}
	}
	return mods
}

// sumWriter hashes as java.io.DataOutputStream writes.
type sumWriter struct{ hash.Hash }

// utf writes a string of at most 65535 bytes: all of them come from class files.
func (h sumWriter) utf(s string) {
	s = encodeModified(s)
	h.Write([]byte{byte(len(s) >> 8), byte(len(s))})
	h.Write([]byte(s))
}

func (h sumWriter) int(v uint16) { h.Write([]byte{0, 0, byte(v >> 8), byte(v)}) }

func (h sumWriter) member(name string, mods uint16, signature string) {
	h.utf(name)
	h.int(mods)
	h.utf(signature)
}

// fields counts a private field only when it is neither static nor transient; descriptors keep their slashes.
func (h sumWriter) fields(fields []Member) {
	sorted := slices.Clone(fields)
	slices.SortStableFunc(sorted, func(a, b Member) int { return compareNames(a.Name, b.Name) })
	for _, f := range sorted {
		mods := f.Access & (accPublic | accPrivate | accProtected | accStatic | accFinal | accVolatile | accTransient)
		if mods&accPrivate == 0 || mods&(accStatic|accTransient) == 0 {
			h.member(f.Name, mods, f.Descriptor)
		}
	}
}

// methods counts the non-private methods that want selects, bridge and synthetic ones included; they are sorted with slashes in
// their descriptors and hashed with dots.
func (h sumWriter) methods(methods []Member, want func(*Member) bool) {
	var sorted []Member
	for _, m := range methods {
		if want(&m) && !m.Private() {
			sorted = append(sorted, m)
		}
	}
	slices.SortStableFunc(sorted, func(a, b Member) int {
		return cmp.Or(compareNames(a.Name, b.Name), compareNames(a.Descriptor, b.Descriptor))
	})
	for _, m := range sorted {
		mods := m.Access & (accPublic | accPrivate | accProtected | accStatic | accFinal | accSynchronized | accNative | accAbstract | accStrict)
		h.member(m.Name, mods, strings.ReplaceAll(m.Descriptor, "/", "."))
	}
}

// DeclaredSUID is the value of the class's own serialVersionUID field, if it is static, final and of an integer type
// (Field.getLong widens the small ones). A field without a compile-time constant is ErrNotStatic.
func (c *Class) DeclaredSUID() (suid int64, declared bool, err error) {
	for _, f := range c.Fields {
		if f.Name != "serialVersionUID" || !f.Static() || !f.Final() || !isIntegral(f.Descriptor) {
			continue
		}
		if f.Constant == nil {
			return 0, false, fmt.Errorf("%w: %s.serialVersionUID has no constant value", ErrNotStatic, c.Name)
		}
		return *f.Constant, true, nil
	}
	return 0, false, nil
}

func isIntegral(descriptor string) bool {
	return len(descriptor) == 1 && strings.Contains("JISBC", descriptor)
}

// arraySUID is the default serialVersionUID of an array class (name as Class.getName gives it: "[Ljava.lang.String;").
// An array class is final and abstract and takes its visibility from its element class.
func arraySUID(name string, elementModifiers uint16) int64 {
	c := Class{Name: name, Modifiers: elementModifiers&accPublic | accFinal | accAbstract}
	return c.DefaultSUID()
}
