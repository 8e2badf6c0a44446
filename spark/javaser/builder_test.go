package javaser

import (
	"encoding/binary"
	"strings"
)

// raw writes streams by hand, the wrong ones above all.
type raw struct{ b []byte }

func stream() *raw { return &raw{[]byte{0xAC, 0xED, 0, 5}} }

func (r *raw) bytes(b ...byte) *raw { r.b = append(r.b, b...); return r }
func (r *raw) u16(v int) *raw       { r.b = binary.BigEndian.AppendUint16(r.b, uint16(v)); return r }
func (r *raw) u32(v uint32) *raw    { r.b = binary.BigEndian.AppendUint32(r.b, v); return r }
func (r *raw) u64(v uint64) *raw    { r.b = binary.BigEndian.AppendUint64(r.b, v); return r }
func (r *raw) utf(s string) *raw    { r.u16(len(s)); r.b = append(r.b, s...); return r }
func (r *raw) ref(handle int) *raw  { return r.bytes(tcReference).u32(uint32(baseHandle + handle)) }
func (r *raw) str(s string) *raw    { return r.bytes(tcString).utf(s) }
func (r *raw) repeat(n int, s string) *raw {
	r.b = append(r.b, strings.Repeat(s, n)...)
	return r
}

// class opens a descriptor; after its fields come end and the superclass.
func (r *raw) class(name string, flags byte, fields int) *raw {
	return r.bytes(tcClassDesc).utf(name).u64(7).bytes(flags).u16(fields)
}

// plain is a whole descriptor without fields and superclass.
func (r *raw) plain(name string, flags byte) *raw {
	return r.class(name, flags, 0).bytes(tcEndBlockData, tcNull)
}
