package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
)

// Address is an org.apache.spark.rpc.RpcAddress: the address that a peer announces for its own server.
type Address struct {
	Host string
	Port int
}

// String gives host:port, with an IPv6 host in brackets, which Spark's own announcements have already.
func (a Address) String() string {
	host := strings.TrimSuffix(strings.TrimPrefix(a.Host, "["), "]")
	return net.JoinHostPort(host, strconv.Itoa(a.Port))
}

// URL gives the form spark://host:port.
func (a Address) URL() string { return "spark://" + a.String() }

// IsZero tells that there is none: executors announce no server of their own.
func (a Address) IsZero() bool { return a == Address{} }

// Envelope is one message: who speaks, to which endpoint, and the object stream.
type Envelope struct {
	Sender   Address // zero: absent
	Receiver Address // zero: absent
	Endpoint string
	Payload  []byte
}

// ErrEnvelope is the cause of a request that was refused because its body is not an envelope.
var ErrEnvelope = errors.New("wire: not an RPC envelope")

// ErrSASL is the cause of a refusal of a peer that wants to authenticate.
var ErrSASL = errors.New("this cluster does not authenticate RPC connections: unset spark.authenticate and spark.network.crypto.enabled for it")

// First bytes of what an authenticating peer sends in the place of an envelope: SaslMessage, and AuthMessage of
// spark.network.crypto.enabled with its forerunner. An envelope begins with 0 or 1.
const (
	saslTag      = 0xEA
	authTag      = 0xFB
	challengeTag = 0xFA
)

// check refuses what has no form on the wire.
func (e Envelope) check() error {
	for _, s := range []string{e.Sender.Host, e.Receiver.Host, e.Endpoint} {
		if len(s) > math.MaxUint16 {
			return fmt.Errorf("%w: a name of %d bytes", ErrEnvelope, len(s))
		}
	}
	for _, a := range []Address{e.Sender, e.Receiver} {
		if a.Port < 0 || a.Port > maxPort {
			return fmt.Errorf("%w: port %d", ErrEnvelope, a.Port)
		}
	}
	return nil
}

const maxPort = 65535

func (a Address) size() int {
	if a.IsZero() {
		return 1
	}
	return 1 + 2 + len(a.Host) + 4
}

func (e Envelope) size() int {
	return e.Sender.size() + e.Receiver.size() + 2 + len(e.Endpoint) + len(e.Payload)
}

func (e Envelope) append(b []byte) []byte {
	b = appendAddress(b, e.Sender)
	b = appendAddress(b, e.Receiver)
	b = appendUTF(b, e.Endpoint)
	return append(b, e.Payload...)
}

func appendAddress(b []byte, a Address) []byte {
	if a.IsZero() {
		return append(b, 0)
	}
	b = append(b, 1)
	b = appendUTF(b, a.Host)
	return binary.BigEndian.AppendUint32(b, uint32(a.Port))
}

// appendUTF writes java.io.DataOutput.writeUTF; hosts and endpoint names are ASCII, for which it is plain bytes.
func appendUTF(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func parseEnvelope(b []byte) (Envelope, error) {
	if len(b) > 0 && (b[0] == saslTag || b[0] == authTag || b[0] == challengeTag) {
		return Envelope{}, ErrSASL
	}
	var e Envelope
	var err error
	if e.Sender, b, err = takeAddress(b); err != nil {
		return Envelope{}, fmt.Errorf("%w: sender: %w", ErrEnvelope, err)
	}
	if e.Receiver, b, err = takeAddress(b); err != nil {
		return Envelope{}, fmt.Errorf("%w: receiver: %w", ErrEnvelope, err)
	}
	if e.Endpoint, b, err = takeUTF(b); err != nil {
		return Envelope{}, fmt.Errorf("%w: endpoint name: %w", ErrEnvelope, err)
	}
	e.Payload = b
	return e, nil
}

var errCut = errors.New("cut short")

func takeAddress(b []byte) (Address, []byte, error) {
	if len(b) == 0 {
		return Address{}, nil, errCut
	}
	switch b[0] {
	case 0:
		return Address{}, b[1:], nil
	case 1:
	default:
		return Address{}, nil, fmt.Errorf("tag %d", b[0])
	}
	host, b, err := takeUTF(b[1:])
	if err != nil {
		return Address{}, nil, err
	}
	if len(b) < 4 {
		return Address{}, nil, errCut
	}
	port := int32(binary.BigEndian.Uint32(b))
	if port < 0 || port > maxPort {
		return Address{}, nil, fmt.Errorf("port %d", port)
	}
	return Address{Host: host, Port: int(port)}, b[4:], nil
}

func takeUTF(b []byte) (string, []byte, error) {
	if len(b) < 2 {
		return "", nil, errCut
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return "", nil, errCut
	}
	return string(b[2 : 2+n]), b[2+n:], nil
}
