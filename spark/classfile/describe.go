package classfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/firesteel/firesteel/spark/javaser"
)

// maxDepth bounds the walk up a class hierarchy. Real ones are below 20 deep; only a forged cycle is deeper.
const maxDepth = 64

// Describe gives the descriptor that a JVM with this class path writes for a class: serialVersionUID, flags, fields,
// and the chain of serializable superclasses. Array names ("[Ljava.lang.String;") are taken too. The error wraps
// ErrNotFound, ErrNotSerializable, ErrNotStatic or ErrFormat.
func Describe(cp *ClassPath, name string) (*javaser.ClassDesc, error) {
	d, err := describe(cp, name, 0)
	if err != nil {
		return nil, fmt.Errorf("describe class %s: %w", name, err)
	}
	return d, nil
}

func describe(cp *ClassPath, name string, depth int) (*javaser.ClassDesc, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: more than %d superclasses", ErrFormat, maxDepth)
	}
	if strings.HasPrefix(name, "[") {
		return describeArray(cp, name)
	}
	if isJDK(name) {
		if d, ok := jdkClasses[name]; ok {
			return d, nil
		}
		return nil, fmt.Errorf("%w: %s is a class of the JDK that is not in the list of constants", ErrNotFound, name)
	}
	c, err := cp.Find(name)
	if err != nil {
		return nil, err
	}
	h := hierarchy{cp: cp, seen: make(map[string]bool)}
	kind, err := h.kind(c)
	if err != nil {
		return nil, err
	}
	if !kind.serializable {
		return nil, fmt.Errorf("%w: %s", ErrNotSerializable, name)
	}
	d, err := c.describe(kind)
	if err != nil {
		return nil, err
	}
	d.Super, err = describeSuper(cp, c, depth)
	return d, err
}

// describeSuper gives the superclass's descriptor, nil where it is not serializable: its state then is not in the stream.
func describeSuper(cp *ClassPath, c *Class, depth int) (*javaser.ClassDesc, error) {
	if c.Super == "" || jdkPlain[c.Super] {
		return nil, nil
	}
	d, err := describe(cp, c.Super, depth+1)
	if errors.Is(err, ErrNotSerializable) {
		return nil, nil
	}
	return d, err
}

// describeArray computes an array class from its element class; classes of the JDK and primitives are taken as public.
func describeArray(cp *ClassPath, name string) (*javaser.ClassDesc, error) {
	element := strings.TrimLeft(name, "[")
	mods := uint16(accPublic)
	switch {
	case len(name) > 255 || !isElement(element):
		return nil, fmt.Errorf("%w: %q is not the name of an array class", ErrNotFound, name)
	case len(element) > 1 && !isJDK(element[1:len(element)-1]):
		c, err := cp.Find(element[1 : len(element)-1])
		if err != nil {
			return nil, err
		}
		mods = c.Modifiers
	}
	return &javaser.ClassDesc{Name: name, SUID: arraySUID(name, mods), Flags: javaser.FlagSerializable}, nil
}

func isElement(s string) bool {
	if len(s) == 1 {
		return strings.Contains("BCDFIJSZ", s)
	}
	return len(s) > 2 && s[0] == 'L' && s[len(s)-1] == ';'
}

// hierarchy answers what a class inherits, walking superclasses and interfaces once each.
type hierarchy struct {
	cp   *ClassPath
	seen map[string]bool
}

// kind walks upwards. A superclass or interface that is on no jar is an error only when it could have changed the answer.
func (h *hierarchy) kind(c *Class) (serialKind, error) {
	var k serialKind
	var missing error
	err := h.walk(c.Name, &k, &missing, 0)
	if err == nil && !k.serializable {
		err = missing
	}
	k.record = k.record && c.Record
	return k, err
}

func (h *hierarchy) walk(name string, k *serialKind, missing *error, depth int) error {
	switch name {
	case "java.io.Serializable":
		k.serializable = true
	case "java.io.Externalizable":
		k.serializable, k.externalizable = true, true
	case "java.lang.Enum":
		k.serializable, k.enum = true, true
	case "java.lang.Record":
		k.record = true
	}
	if isJDK(name) {
		_, known := jdkClasses[name]
		k.serializable = k.serializable || known || jdkSerializable[name]
		return nil
	}
	if h.seen[name] {
		return nil
	}
	if h.seen[name] = true; depth > maxDepth {
		return fmt.Errorf("%w: %s has more than %d ancestors in a line", ErrFormat, name, maxDepth)
	}
	c, err := h.cp.Find(name)
	if errors.Is(err, ErrNotFound) {
		*missing = err
		return nil
	} else if err != nil {
		return err
	}
	if _, known := jdkClasses[c.Super]; isJDK(c.Super) && !known && !jdkPlain[c.Super] {
		*missing = fmt.Errorf("%w: %s, a superclass from the JDK, is not in the list of constants", ErrNotFound, c.Super)
	}
	for _, parent := range append([]string{c.Super}, c.Interfaces...) {
		if err := h.walk(parent, k, missing, depth+1); err != nil {
			return err
		}
	}
	return nil
}
