package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

const typeStreamResponse = 7

// maxStreamHead bounds the frame that answers a stream request: a stream id with a length, or the text of an exception.
const maxStreamHead = 1 << 20

// StreamError is the answer of a server that does not have a stream: the first line of its exception.
type StreamError struct{ Text string }

func (e *StreamError) Error() string { return "the peer refuses the stream: " + e.Text }

// RequestStream asks the file server at the other end of a new connection for a stream (StreamRequest; a driver's is
// NettyStreamManager) and gives its bytes and how many they are. The reader ends after these, or with
// io.ErrUnexpectedEOF if the connection ends before. Whoever dialled the connection bounds it in time and closes it;
// nothing else can be done with it meanwhile.
func RequestStream(conn net.Conn, id string) (body io.Reader, size int64, err error) {
	if len(id) > maxStreamHead/2 {
		return nil, 0, fmt.Errorf("stream request: a name of %d bytes: %w", len(id), ErrFrameTooLarge)
	}
	if _, err := conn.Write(streamRequestFrame(id)); err != nil {
		return nil, 0, fmt.Errorf("stream request: %w", err)
	}
	in := bufio.NewReaderSize(conn, 64<<10)
	if size, err = readStreamHead(in); err != nil {
		return nil, 0, fmt.Errorf("answer to a stream request: %w", err)
	}
	return &exactly{from: in, left: size}, size, nil
}

func streamRequestFrame(id string) []byte {
	b := appendHeader(make([]byte, 0, 13+len(id)), typeStreamRequest, 4+len(id))
	b = binary.BigEndian.AppendUint32(b, uint32(len(id)))
	return append(b, id...)
}

// readStreamHead reads the one frame that answers: the bytes of the stream stand behind it, not in it.
func readStreamHead(r io.Reader) (size int64, err error) {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	length, kind := int64(binary.BigEndian.Uint64(head[:8])), head[8]
	if length < 9 {
		return 0, fmt.Errorf("%w: a length of %d", ErrFrame, length)
	}
	if length > maxStreamHead {
		return 0, fmt.Errorf("%w: %d bytes", ErrFrameTooLarge, length)
	}
	b, err := readExactly(r, length-9)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, fmt.Errorf("a frame of %d bytes: %w", length, err)
	}
	return parseStreamHead(kind, b)
}

func parseStreamHead(kind byte, b []byte) (size int64, err error) {
	name := len(shortText(b))
	switch kind {
	case typeStreamResponse:
		if len(b) != 4+name+8 {
			return 0, fmt.Errorf("%w: a stream response of %d bytes", ErrFrame, len(b))
		}
		if size = int64(binary.BigEndian.Uint64(b[4+name:])); size < 0 {
			return 0, fmt.Errorf("%w: a stream of %d bytes", ErrFrame, size)
		}
		return size, nil
	case typeStreamFailure:
		text := ""
		if len(b) >= 4 {
			text, _, _ = strings.Cut(shortText(b[4+name:]), "\n")
		}
		return 0, &StreamError{Text: strings.TrimSpace(text)}
	}
	return 0, fmt.Errorf("%w: type %d answers a stream request", ErrFrame, kind)
}

// exactly reads so many bytes, and tells their end from that of the connection.
type exactly struct {
	from io.Reader
	left int64
}

func (e *exactly) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.from.Read(b[:min(int64(len(b)), e.left)])
	if e.left -= int64(n); err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
