package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frame types (org.apache.spark.network.protocol.Message.Type).
const (
	typeRPCRequest    = 3
	typeRPCResponse   = 4
	typeRPCFailure    = 5
	typeStreamRequest = 6
	typeStreamFailure = 8
	typeOneWay        = 9
)

// DefaultMaxFrame is the largest frame that is read unless a Config says otherwise: spark.rpc.message.maxSize, 128 MiB.
const DefaultMaxFrame = 128 << 20

var (
	// ErrFrame is the cause of a connection that was closed because what came on it is not a frame of Spark's protocol.
	ErrFrame = errors.New("wire: not a frame of Spark's protocol")
	// ErrFrameTooLarge is the cause of a connection closed for a frame over the limit.
	ErrFrameTooLarge = errors.New("wire: frame over the limit")
)

// frame is one frame without its length: what stands behind the header of its type.
type frame struct {
	kind byte
	id   int64  // request id, types 3 to 5
	text string // stream id or error text
	body []byte
}

// readFrame reads one frame. A length that lies costs no memory: the buffer grows with the bytes that really come.
func readFrame(r *bufio.Reader, max int64) (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	length := int64(binary.BigEndian.Uint64(head[:8]))
	if length < 9 {
		return frame{}, fmt.Errorf("%w: a length of %d", ErrFrame, length)
	}
	if length > max {
		return frame{}, fmt.Errorf("%w: %d bytes, at most %d are taken (spark.rpc.message.maxSize)", ErrFrameTooLarge, length, max)
	}
	rest, err := readExactly(r, length-9)
	if errors.Is(err, io.EOF) { // the end of a connection lies between frames only
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return frame{}, fmt.Errorf("read a frame of %d bytes: %w", length, err)
	}
	return parseFrame(head[8], rest)
}

const eagerRead = 64 << 10

func readExactly(r io.Reader, n int64) ([]byte, error) {
	if n <= eagerRead {
		b := make([]byte, n)
		_, err := io.ReadFull(r, b)
		return b, err
	}
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, n); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func parseFrame(kind byte, b []byte) (frame, error) {
	f := frame{kind: kind}
	switch kind {
	case typeRPCRequest, typeRPCResponse:
		if len(b) < 12 {
			return frame{}, fmt.Errorf("%w: type %d with %d bytes", ErrFrame, kind, len(b))
		}
		f.id, f.body = int64(binary.BigEndian.Uint64(b)), b[12:]
	case typeRPCFailure:
		if len(b) < 12 {
			return frame{}, fmt.Errorf("%w: type %d with %d bytes", ErrFrame, kind, len(b))
		}
		f.id, f.text = int64(binary.BigEndian.Uint64(b)), shortText(b[8:])
	case typeOneWay:
		if len(b) < 4 {
			return frame{}, fmt.Errorf("%w: type %d with %d bytes", ErrFrame, kind, len(b))
		}
		f.body = b[4:]
	case typeStreamRequest:
		f.text = shortText(b)
	default:
		return frame{}, fmt.Errorf("%w: type %d", ErrFrame, kind)
	}
	return f, nil
}

// shortText reads an int32-length string; what is cut short is taken as far as it goes, since it is only shown.
func shortText(b []byte) string {
	if len(b) < 4 {
		return ""
	}
	n, b := int(binary.BigEndian.Uint32(b)), b[4:]
	if n > len(b) || n < 0 {
		n = len(b)
	}
	return string(b[:n])
}

func appendHeader(b []byte, kind byte, headerAndBody int) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(9+headerAndBody))
	return append(b, kind)
}

func requestFrame(id int64, e Envelope) []byte {
	size := e.size()
	b := appendHeader(make([]byte, 0, 21+size), typeRPCRequest, 12+size)
	b = binary.BigEndian.AppendUint64(b, uint64(id))
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	return e.append(b)
}

func oneWayFrame(e Envelope) []byte {
	size := e.size()
	b := appendHeader(make([]byte, 0, 13+size), typeOneWay, 4+size)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	return e.append(b)
}

func responseFrame(id int64, payload []byte) []byte {
	b := appendHeader(make([]byte, 0, 21+len(payload)), typeRPCResponse, 12+len(payload))
	b = binary.BigEndian.AppendUint64(b, uint64(id))
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}

func failureFrame(id int64, text string) []byte {
	b := appendHeader(nil, typeRPCFailure, 12+len(text))
	b = binary.BigEndian.AppendUint64(b, uint64(id))
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

func streamFailureFrame(stream, text string) []byte {
	b := appendHeader(nil, typeStreamFailure, 8+len(stream)+len(text))
	b = binary.BigEndian.AppendUint32(b, uint32(len(stream)))
	b = append(b, stream...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}
