package fetch

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// fakeHDFS is a NameNode and a DataNode that answer with what real ones answered (testdata/hdfs, see TestRealHDFS): the file
// /jars/small.jar of two blocks. A NameNode's answers are sent for the call that asks, whenever it comes.
type fakeHDFS struct {
	t        *testing.T
	namenode string            // its address
	answers  map[string][]byte // by method
	// refuse gives a method's exception, "" for none.
	refuse func(method string) (exception, message string)
	// block gives the bytes that the DataNode sends on its n'th connection, and whether it then stays silent.
	block func(n int) (sent []byte, silent bool)
	asked chan struct{} // one for each connection to the DataNode, once all has been sent

	mu    sync.Mutex
	users []string
	data  int // connections to the DataNode
}

func recorded(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/hdfs", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func startFakeHDFS(t *testing.T) *fakeHDFS {
	t.Helper()
	h := &fakeHDFS{t: t, answers: map[string][]byte{}, asked: make(chan struct{}, 100)}
	h.refuse = func(string) (string, string) { return "", "" }
	blocks := [][]byte{recorded(t, "block0"), recorded(t, "block1")}
	h.block = func(n int) ([]byte, bool) { return blocks[n%2], false }
	methods := map[uint64]string{}
	for frame := range frames(t, recorded(t, "namenode.asked")[7:]) {
		call, method, _ := parseCall(frame)
		methods[call] = method
	}
	for frame := range frames(t, recorded(t, "namenode.answered")) {
		head, rest := message(frame)
		h.answers[methods[field(head, 1).n]] = rest
	}
	for _, m := range []string{"getFileInfo", "getBlockLocations", "getServerDefaults"} {
		if h.answers[m] == nil {
			t.Fatalf("no answer to %s is recorded", m)
		}
	}
	h.namenode = accepting(t, h.serveNamenode)
	return h
}

// accepting serves connections until the test ends, each in a goroutine of its own.
func accepting(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		wg.Wait()
	})
	return l.Addr().String()
}

// fetcher reaches the fakes, wherever the block locations say that the DataNode is.
func (h *fakeHDFS) fetcher(c Config) *Fetcher {
	data := accepting(h.t, h.serveData)
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "127.0.0.1:") && address != h.namenode && address != "127.0.0.1:1" {
			address = data
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return New(c)
}

func (h *fakeHDFS) serveNamenode(c net.Conn) {
	in := bufio.NewReader(c)
	if _, err := io.CopyN(io.Discard, in, 7); err != nil { // hrpc and its version
		return
	}
	for {
		frame, err := readPacket(in)
		if err != nil {
			return
		}
		call, method, context := parseCall(frame)
		if method == "" { // the context of the connection: who is asking
			h.mu.Lock()
			h.users = append(h.users, string(field(field(context, 2).b, 1).b))
			h.mu.Unlock()
			continue
		}
		if _, err := c.Write(h.answer(call, method)); err != nil {
			return
		}
	}
}

func (h *fakeHDFS) answer(call uint64, method string) []byte {
	head := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), call)
	exception, text := h.refuse(method)
	var body []byte
	if exception == "" {
		head = protowire.AppendVarint(protowire.AppendTag(head, 2, protowire.VarintType), 0)
		body = h.answers[method]
	} else {
		head = protowire.AppendVarint(protowire.AppendTag(head, 2, protowire.VarintType), 1)
		head = protowire.AppendString(protowire.AppendTag(head, 4, protowire.BytesType), exception)
		head = protowire.AppendString(protowire.AppendTag(head, 5, protowire.BytesType), text)
	}
	b := append(protowire.AppendBytes(nil, head), body...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func (h *fakeHDFS) serveData(c net.Conn) {
	in := bufio.NewReader(c)
	if _, err := io.CopyN(io.Discard, in, 3); err != nil { // version, operation
		return
	}
	n, err := binary.ReadUvarint(in)
	if err == nil {
		_, err = io.CopyN(io.Discard, in, int64(n))
	}
	if err != nil {
		return
	}
	h.mu.Lock()
	send, silent := h.block(h.data)
	h.data++
	h.mu.Unlock()
	_, _ = c.Write(send)
	h.asked <- struct{}{}
	if silent {
		_, _ = io.Copy(io.Discard, in)
	}
}

// frames are the packets of a recorded stream.
func frames(t *testing.T, b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		in := bufio.NewReader(strings.NewReader(string(b)))
		for {
			frame, err := readPacket(in)
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !yield(frame) {
				return
			}
		}
	}
}

func readPacket(in io.Reader) ([]byte, error) {
	var n uint32
	if err := binary.Read(in, binary.BigEndian, &n); err != nil {
		return nil, err
	}
	if n > 1<<20 {
		return nil, fmt.Errorf("a packet of %d bytes", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(in, b)
	return b, err
}

// message splits off a message that stands behind its length.
func message(b []byte) (first, rest []byte) {
	first, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return nil, nil
	}
	return first, b[n:]
}

// parseCall reads a request: RpcRequestHeaderProto, then RequestHeaderProto with the method's name, or what the client says
// of itself (IpcConnectionContextProto), which has none.
func parseCall(frame []byte) (call uint64, method string, second []byte) {
	head, rest := message(frame)
	second, _ = message(rest)
	id := protowire.DecodeZigZag(field(head, 3).n)
	if id >= 0 {
		method = string(field(second, 1).b)
	}
	return uint64(uint32(int32(id))), method, second
}

type value struct {
	n uint64
	b []byte
}

// field finds a field of a message.
func field(b []byte, number protowire.Number) value {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return value{}
		}
		b = b[n:]
		if num == number {
			switch kind {
			case protowire.VarintType:
				v, _ := protowire.ConsumeVarint(b)
				return value{n: v}
			case protowire.BytesType:
				v, _ := protowire.ConsumeBytes(b)
				return value{b: v}
			}
		}
		if n = protowire.ConsumeFieldValue(num, kind, b); n < 0 {
			return value{}
		}
		b = b[n:]
	}
	return value{}
}
