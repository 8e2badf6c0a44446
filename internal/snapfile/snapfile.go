package snapfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/firesteel/firesteel/fsm"
)

// A file is the magic, the length of the description (4 bytes, big-endian), the description as JSON, pieces of the gzipped
// state, each with its length (4 bytes) in front, a length of 0, and the SHA-256 of all bytes before it.
const (
	magic    = "FIRESTEEL-SNAPSHOT-1\n"
	maxMeta  = 1 << 16
	maxPiece = 1 << 20
	pieceLen = 64 << 10
	// maxState bounds the state behind the compression: no master takes more.
	maxState = 1 << 30
)

// ErrDamaged is the cause where a file is no snapshot, or not as it was written.
var ErrDamaged = errors.New("damaged, or no snapshot of a Firesteel cluster")

// Meta says what a snapshot is of.
type Meta struct {
	ClusterID string `json:"clusterId"`
	Index     uint64 `json:"index"` // of the log, and the term of that entry
	Term      uint64 `json:"term"`
	SavedMS   int64  `json:"savedMs"` // when, in milliseconds since the epoch
	SavedBy   string `json:"savedBy"` // the master's id
}

// File is a snapshot that was read and found whole.
type File struct {
	Meta
	State  *fsm.State
	Size   int64  // of the file, in bytes
	SHA256 string // its last 32 bytes, in hex
}

// Write writes a state.
func Write(out io.Writer, m Meta, s *fsm.State) error {
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(out, sum), pieceLen)
	meta, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("describe a snapshot: %w", err)
	}
	if _, err := w.WriteString(magic); err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	if err := writePiece(w, meta); err != nil {
		return err
	}
	pieces := bufio.NewWriterSize(pieceWriter{w}, pieceLen)
	z := gzip.NewWriter(pieces)
	if err := s.Write(z); err != nil {
		return err
	}
	for _, step := range []func() error{z.Close, pieces.Flush, func() error { return writePiece(w, nil) }, w.Flush} {
		if err := step(); err != nil {
			return fmt.Errorf("write a snapshot: %w", err)
		}
	}
	if _, err := out.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write the checksum of a snapshot: %w", err)
	}
	return nil
}

type pieceWriter struct{ w io.Writer }

func (p pieceWriter) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), maxPiece)
		if err := writePiece(p.w, rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(b), nil
}

func writePiece(w io.Writer, b []byte) error {
	if _, err := w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b)))); err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	return nil
}

// Read reads a file to its end. ErrDamaged is the cause where it is not what Write has written.
func Read(in io.Reader) (*File, error) {
	r := &reader{in: bufio.NewReaderSize(in, pieceLen), sum: sha256.New()}
	head := make([]byte, len(magic))
	if err := r.full(head); err != nil || string(head) != magic {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	}
	meta, err := r.piece(maxMeta)
	if err != nil {
		return nil, err
	}
	f := &File{}
	if err := json.Unmarshal(meta, &f.Meta); err != nil {
		return nil, fmt.Errorf("%w: its description: %w", ErrDamaged, err)
	}
	// The state is read to its end first, so that it is believed only with the checksum.
	state, stateErr := readState(&pieceReader{r: r})
	if err := r.finish(); err != nil {
		return nil, err
	}
	if stateErr != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, stateErr)
	}
	if state.ClusterID() != f.ClusterID || state.Index() != f.Index || state.Term() != f.Term {
		return nil, fmt.Errorf("%w: its description is that of another state", ErrDamaged)
	}
	f.State, f.Size, f.SHA256 = state, r.n, hex.EncodeToString(r.want[:])
	return f, nil
}

func readState(r io.Reader) (*fsm.State, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	state, err := fsm.ReadSnapshot(io.LimitReader(z, maxState))
	if err != nil {
		return nil, err
	}
	if err := state.Invariants(); err != nil {
		return nil, fmt.Errorf("the state contradicts itself: %w", err)
	}
	return state, nil
}

// reader counts and sums what it reads.
type reader struct {
	in   *bufio.Reader
	sum  hash.Hash
	n    int64
	want [sha256.Size]byte
	over bool  // the end of the pieces was read
	err  error // that reading them ended with
}

func (r *reader) full(b []byte) error {
	n, err := io.ReadFull(r.in, b)
	r.sum.Write(b[:n])
	r.n += int64(n)
	if err != nil {
		return fmt.Errorf("%w: it is cut short after %d bytes", ErrDamaged, r.n)
	}
	return nil
}

// piece reads the next piece; it is empty at the end.
func (r *reader) piece(limit uint32) ([]byte, error) {
	var head [4]byte
	if err := r.full(head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > limit {
		return nil, fmt.Errorf("%w: a piece of %d bytes", ErrDamaged, n)
	}
	b := make([]byte, n)
	return b, r.full(b)
}

// finish reads what is left of the pieces, compares the checksum, and sees that nothing follows.
func (r *reader) finish() error {
	for !r.over && r.err == nil {
		r.next()
	}
	if r.err != nil {
		return r.err
	}
	sum := r.sum.Sum(nil)
	if err := r.full(r.want[:]); err != nil {
		return err
	}
	if !bytes.Equal(sum, r.want[:]) {
		return fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	if _, err := r.in.ReadByte(); err != io.EOF {
		return fmt.Errorf("%w: bytes follow its end", ErrDamaged)
	}
	return nil
}

func (r *reader) next() []byte {
	b, err := r.piece(maxPiece)
	r.err, r.over = err, err == nil && len(b) == 0
	return b
}

// pieceReader gives the pieces as one stream.
type pieceReader struct {
	r    *reader
	rest []byte
}

func (p *pieceReader) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		if p.r.err != nil {
			return 0, p.r.err
		}
		if p.r.over {
			return 0, io.EOF
		}
		p.rest = p.r.next()
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
