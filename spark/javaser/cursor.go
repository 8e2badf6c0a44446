package javaser

import (
	"encoding/binary"
	"fmt"
)

// take returns the next n bytes, which remain part of the input.
func (d *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.b)-d.pos) {
		return nil, fmt.Errorf("%w: %d bytes wanted, %d left", ErrTruncated, n, len(d.b)-d.pos)
	}
	b := d.b[d.pos : d.pos+int(n)]
	d.pos += int(n)
	return b, nil
}

func (d *decoder) u8() (byte, error) {
	if d.pos >= len(d.b) {
		return 0, ErrTruncated
	}
	d.pos++
	return d.b[d.pos-1], nil
}

func (d *decoder) u16() (uint16, error) {
	if len(d.b)-d.pos < 2 {
		return 0, ErrTruncated
	}
	d.pos += 2
	return binary.BigEndian.Uint16(d.b[d.pos-2:]), nil
}

func (d *decoder) u32() (uint32, error) {
	if len(d.b)-d.pos < 4 {
		return 0, ErrTruncated
	}
	d.pos += 4
	return binary.BigEndian.Uint32(d.b[d.pos-4:]), nil
}

func (d *decoder) u64() (uint64, error) {
	if len(d.b)-d.pos < 8 {
		return 0, ErrTruncated
	}
	d.pos += 8
	return binary.BigEndian.Uint64(d.b[d.pos-8:]), nil
}

// claim is called before n values of at least size bytes each are allocated: they must be there to be read, and within
// the limits.
func (d *decoder) claim(n, size int) error {
	if n > (len(d.b)-d.pos)/size {
		return fmt.Errorf("%w: %d values announced, %d bytes left", ErrTruncated, n, len(d.b)-d.pos)
	}
	return d.spend(n)
}

func (d *decoder) spend(n int) error {
	if n > d.elements {
		return fmt.Errorf("%w: %d elements", ErrTooMany, d.lim.MaxElements)
	}
	d.elements -= n
	return nil
}

func (d *decoder) enter() error {
	if d.depth >= d.lim.MaxDepth {
		return fmt.Errorf("%w: %d", ErrTooDeep, d.lim.MaxDepth)
	}
	d.depth++
	return nil
}

func (d *decoder) leave() { d.depth-- }
