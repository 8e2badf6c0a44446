package fetch

import (
	"encoding/binary"
	"fmt"
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
