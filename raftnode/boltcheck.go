package raftnode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// The form of bbolt's file, version 2, in the byte order of the machine:
//
//	page    id 8, flags 2, count 2, further pages 4, then count elements of 16 bytes, then what these point to
//	branch  element: position of the key 4, its size 4, page 8
//	leaf    element: flags 4, position of the key 4, its size 4, size of the value 4 (which stands behind the key)
//	meta    pages 0 and 1: magic 4, version 4, page size 4, flags 4, root 8, sequence 8, free list 8, pages in use 8, transaction 8, FNV-1a 8
//	bucket  value of a leaf with flag 1: root 8, sequence 8; root 0: a page follows
const (
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	pageHeader   = 16
	pageElement  = 16
	metaBytes    = 64
	metaSummed   = 56
	branchPage   = 1
	leafPage     = 2
	bucketLeaf   = 1
	bucketHeader = 16
	maxPageSize  = 64 << 10
)

var order = binary.NativeEndian

// boltCheck walks through a file of bbolt's as it lies on the disk and trusts nothing in it. bbolt itself maps the file and
// follows whatever it finds there, which ends in a fault or in silence: of two roots it takes the older one when the newer
// one is damaged, and so forgets the last transaction.
type boltCheck struct {
	file     io.ReaderAt
	pageSize int64
	pages    uint64 // in use
	seen     map[uint64]bool
	names    []string // of the outermost buckets
	stable   []string // keys in the bucket of the stable store
}

// Buckets of raft-boltdb.
const (
	logBucket    = "logs"
	stableBucket = "conf"
)

// checkBolt checks both roots, every page that the newer one leads to, and that the buckets are raft-boltdb's. It gives the
// keys of the stable store.
func checkBolt(file io.ReaderAt, size int64) (stable []string, err error) {
	root, pages, pageSize, err := checkRoots(file)
	if err != nil {
		return nil, err
	}
	if size < int64(pages)*pageSize {
		return nil, fmt.Errorf("the file has %d bytes, and %d pages of %d should be in it", size, pages, pageSize)
	}
	c := &boltCheck{file: file, pageSize: pageSize, pages: pages, seen: map[uint64]bool{0: true, 1: true}}
	if _, _, err := c.walk(root, "", 0); err != nil {
		return nil, err
	}
	// One that has lost its name would be made anew, empty.
	if !slices.Equal(c.names, []string{stableBucket, logBucket}) {
		return nil, fmt.Errorf("its buckets are %q", c.names)
	}
	return c.stable, nil
}

// checkRoots checks both meta pages and gives what the newer one says.
func checkRoots(file io.ReaderAt) (root, pages uint64, pageSize int64, err error) {
	first, err := readRoot(file, 0)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("root page 0: %w", err)
	}
	pageSize = int64(order.Uint32(first[8:]))
	if pageSize < 512 || pageSize > maxPageSize || pageSize&(pageSize-1) != 0 {
		return 0, 0, 0, fmt.Errorf("root page 0: a page size of %d", pageSize)
	}
	second, err := readRoot(file, pageSize)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("root page 1: %w", err)
	}
	newest := first
	if order.Uint64(second[48:]) > order.Uint64(first[48:]) {
		newest = second
	}
	return order.Uint64(newest[16:]), order.Uint64(newest[40:]), pageSize, nil
}

var errRootSum = errors.New("its checksum is wrong")

func readRoot(file io.ReaderAt, at int64) ([]byte, error) {
	meta := make([]byte, metaBytes)
	if _, err := file.ReadAt(meta, at+pageHeader); err != nil {
		return nil, err
	}
	sum := fnv.New64a()
	sum.Write(meta[:metaSummed]) // a hash never fails
	switch {
	case order.Uint32(meta) != boltMagic || order.Uint32(meta[4:]) != boltVersion:
		return nil, errors.New("it is not bbolt's, or of another version")
	case sum.Sum64() != order.Uint64(meta[metaSummed:]):
		return nil, errRootSum
	}
	return meta, nil
}

// walk checks a page and all below it, and gives the first and the last key there.
func (c *boltCheck) walk(id uint64, bucket string, depth int) (first, last []byte, err error) {
	if depth > 64 {
		return nil, nil, fmt.Errorf("page %d: too deep", id)
	}
	page, err := c.page(id)
	if err != nil {
		return nil, nil, fmt.Errorf("page %d: %w", id, err)
	}
	if first, last, err = c.elements(page, bucket, depth); err != nil {
		return nil, nil, fmt.Errorf("page %d: %w", id, err)
	}
	return first, last, nil
}

// page reads a page with those that continue it.
func (c *boltCheck) page(id uint64) ([]byte, error) {
	if id >= c.pages {
		return nil, fmt.Errorf("only %d are in use", c.pages)
	}
	head := make([]byte, pageHeader)
	if _, err := c.file.ReadAt(head, int64(id)*c.pageSize); err != nil {
		return nil, err
	}
	further := uint64(order.Uint32(head[12:]))
	if own := order.Uint64(head); own != id {
		return nil, fmt.Errorf("it says that it is %d", own)
	}
	if id+further >= c.pages {
		return nil, fmt.Errorf("it goes on for %d pages, and only %d are in use", further, c.pages)
	}
	for p := id; p <= id+further; p++ {
		if c.seen[p] {
			return nil, fmt.Errorf("page %d is used twice", p)
		}
		c.seen[p] = true
	}
	page := make([]byte, int64(further+1)*c.pageSize)
	_, err := c.file.ReadAt(page, int64(id)*c.pageSize)
	return page, err
}

// elements checks what a page holds: every key below an element is smaller than the next element's. bbolt relies on that, and
// where it finds otherwise while it opens a file, it panics and leaves a goroutine behind that goes on reading.
func (c *boltCheck) elements(page []byte, bucket string, depth int) (first, last []byte, err error) {
	count := int(order.Uint16(page[10:]))
	if pageHeader+count*pageElement > len(page) {
		return nil, nil, fmt.Errorf("%d elements do not fit", count)
	}
	flags := order.Uint16(page[8:])
	if flags != branchPage && flags != leafPage || flags == branchPage && count == 0 {
		return nil, nil, fmt.Errorf("flags %#x with %d elements", flags, count)
	}
	for i := range count {
		at := pageHeader + i*pageElement
		var key, greatest []byte
		if flags == branchPage {
			key, greatest, err = c.branch(page, at, bucket, depth)
		} else {
			key, err = c.leaf(page, at, bucket, depth)
			greatest = key
		}
		if err != nil {
			return nil, nil, fmt.Errorf("element %d: %w", i, err)
		}
		if i == 0 {
			first = key
		} else if bytes.Compare(last, key) >= 0 {
			return nil, nil, fmt.Errorf("element %d: the keys are not in order", i)
		}
		last = greatest
	}
	return first, last, nil
}

// branch gives an element's key and the greatest one below it.
func (c *boltCheck) branch(page []byte, at int, bucket string, depth int) (key, greatest []byte, err error) {
	e := page[at:]
	if key, err = cut(page, at, order.Uint32(e), order.Uint32(e[4:])); err != nil {
		return nil, nil, err
	}
	first, greatest, err := c.walk(order.Uint64(e[8:]), bucket, depth+1)
	if err == nil && bytes.Compare(first, key) < 0 {
		err = errors.New("a key below is smaller than its branch")
	}
	return key, greatest, err
}

func (c *boltCheck) leaf(page []byte, at int, bucket string, depth int) (key []byte, err error) {
	e := page[at:]
	flags, pos, keySize, valueSize := order.Uint32(e), order.Uint32(e[4:]), order.Uint32(e[8:]), order.Uint32(e[12:])
	if flags > bucketLeaf {
		return nil, fmt.Errorf("flags %#x", flags)
	}
	if key, err = cut(page, at, pos, keySize); err != nil {
		return nil, err
	}
	value, err := cut(page, at+int(pos)+int(keySize), 0, valueSize)
	if bucket == stableBucket {
		c.stable = append(c.stable, string(key))
	}
	if err != nil || flags != bucketLeaf {
		return key, err
	}
	if bucket == "" {
		c.names = append(c.names, string(key))
	}
	if len(value) < bucketHeader {
		return nil, fmt.Errorf("a bucket of %d bytes", len(value))
	}
	if root := order.Uint64(value); root != 0 {
		_, _, err = c.walk(root, string(key), depth+1)
	} else if len(value) < bucketHeader+pageHeader {
		err = fmt.Errorf("an inline bucket of %d bytes", len(value))
	} else {
		_, _, err = c.elements(value[bucketHeader:], string(key), depth+1)
	}
	return key, err
}

// cut gives size bytes at pos behind at, if they are inside the page.
func cut(page []byte, at int, pos, size uint32) ([]byte, error) {
	begin, end := int64(at)+int64(pos), int64(at)+int64(pos)+int64(size)
	if end > int64(len(page)) {
		return nil, errors.New("it points outside of the page")
	}
	return page[begin:end], nil
}
