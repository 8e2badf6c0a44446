package fetch

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// maxNamenodeAnswer is ipc.maximum.response.length, Hadoop's own bound.
const maxNamenodeAnswer = 128 << 20

// namenodeLine looks at the length before each answer of a NameNode, for which the library would make a buffer, however
// large: the web port of the same host begins with "HTTP", which is a gigabyte.
type namenodeLine struct {
	net.Conn
	head [4]byte
	got  int    // bytes of head
	left uint32 // bytes of the answer that are still to come
}

func (l *namenodeLine) Read(b []byte) (int, error) {
	if l.got == len(l.head) {
		if len(b) > int(l.left) {
			b = b[:l.left]
		}
	} else if len(b) > len(l.head)-l.got {
		b = b[:len(l.head)-l.got]
	}
	n, err := l.Conn.Read(b)
	if l.got == len(l.head) {
		if l.left -= uint32(n); l.left == 0 {
			l.got = 0
		}
		return n, err
	}
	l.got += copy(l.head[l.got:], b[:n])
	if l.got == len(l.head) {
		l.left = binary.BigEndian.Uint32(l.head[:])
		if l.left > maxNamenodeAnswer {
			return 0, fmt.Errorf("%w of a NameNode: is it the port of its RPC (dfs.namenode.rpc-address), not of its web pages? Its answer begins with %q", ErrProtocol, l.head)
		}
		if l.left == 0 {
			l.got = 0
		}
	}
	return n, err
}

// maxDataLines is how many connections to DataNodes may bring nothing, one after the other. The library takes one that is
// closed within a block for the block's end, and asks for the rest of it again, without an end.
const maxDataLines = 12

// dataLines are a file's connections to DataNodes. They are used by one goroutine.
type dataLines struct {
	*lines
	inVain int
}

func (d *dataLines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.inVain++; d.inVain > maxDataLines {
		return nil, fmt.Errorf("the DataNodes, %s among them, end the connection within a block: %w", address, io.ErrUnexpectedEOF)
	}
	conn, err := d.lines.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &buffered{Conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// moved says that bytes of the file came.
func (d *dataLines) moved() { d.inVain = 0 }

// buffered saves the library's many small reads, and looks at the length of a DataNode's first message, for which the
// library would make a buffer.
type buffered struct {
	net.Conn
	in   *bufio.Reader
	seen bool
}

// maxDatanodeMessage bounds what comes before a block: a status, and how checksums are made.
const maxDatanodeMessage = 1 << 20

func (b *buffered) Read(p []byte) (int, error) {
	if !b.seen {
		b.seen = true
		head, _ := b.in.Peek(binary.MaxVarintLen32) // what is wrong comes again with Read
		if n, _ := binary.Uvarint(head); n > maxDatanodeMessage {
			return 0, fmt.Errorf("%w of a DataNode: a message of %d bytes", ErrProtocol, n)
		}
	}
	return b.in.Read(p)
}
