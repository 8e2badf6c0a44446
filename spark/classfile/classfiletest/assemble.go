// Package classfiletest assembles small class files and jars, so that tests of class readers need neither a compiler nor
// anybody's class files.
package classfiletest

import (
	"archive/zip"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Class says what to assemble. Names have dots; Super defaults to java.lang.Object and Access to public.
type Class struct {
	Name       string
	Super      string
	Interfaces []string
	Access     uint16
	Fields     []Member
	Methods    []Member
	Strings    []string // string literals to put into the constant pool
}

// Member is a field or method; Constant makes a ConstantValue attribute of type long.
type Member struct {
	Access           uint16
	Name, Descriptor string
	Constant         *int64
}

// Serializable is the interface to list for a class that shall be serializable.
const Serializable = "java.io.Serializable"

// Bytes assembles the class file (version 52, Java 8).
func (c Class) Bytes() []byte {
	var p pool
	this, super := p.class(c.Name), p.class(orDefault(c.Super, "java.lang.Object"))
	body := u2(nil, defaultAccess(c.Access), this, super, uint16(len(c.Interfaces)))
	for _, name := range c.Interfaces {
		body = u2(body, p.class(name))
	}
	for _, members := range [][]Member{c.Fields, c.Methods} {
		body = u2(body, uint16(len(members)))
		for _, m := range members {
			body = p.member(body, m)
		}
	}
	body = u2(body, 0) // no attributes
	for _, s := range c.Strings {
		p.add(u2([]byte{8}, p.utf8(s)))
	}
	file := binary.BigEndian.AppendUint32(nil, 0xCAFEBABE)
	file = u2(file, 0, 52, uint16(p.count+1))
	return append(append(file, p.bytes...), body...)
}

// WriteJar writes a jar of the classes and makes the folders above it.
func WriteJar(t testing.TB, path string, classes ...Class) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for _, c := range classes {
		w, err := z.Create(strings.ReplaceAll(c.Name, ".", "/") + ".class")
		if err == nil {
			_, err = w.Write(c.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

// pool collects constants; the same one may be there twice, which the format allows.
type pool struct {
	bytes []byte
	count int
}

func (p *pool) add(entry []byte) uint16 {
	p.bytes = append(p.bytes, entry...)
	p.count++
	return uint16(p.count)
}

func (p *pool) utf8(s string) uint16 {
	return p.add(append(u2([]byte{1}, uint16(len(s))), s...))
}

func (p *pool) class(name string) uint16 {
	return p.add(u2([]byte{7}, p.utf8(strings.ReplaceAll(name, ".", "/"))))
}

func (p *pool) member(b []byte, m Member) []byte {
	b = u2(b, m.Access, p.utf8(m.Name), p.utf8(m.Descriptor))
	if m.Constant == nil {
		return u2(b, 0)
	}
	b = u2(b, 1, p.utf8("ConstantValue"))
	b = binary.BigEndian.AppendUint32(b, 2)
	b = u2(b, p.add(binary.BigEndian.AppendUint64([]byte{5}, uint64(*m.Constant))))
	p.count++ // a long takes two entries
	return b
}

func u2(b []byte, values ...uint16) []byte {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func defaultAccess(access uint16) uint16 {
	if access == 0 {
		return 0x0021 // public, with the ACC_SUPER that every compiler sets
	}
	return access
}
