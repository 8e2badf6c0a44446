package membership

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/memberlist"
)

// ProtocolVersion is what this release speaks over gossip and between the services it announces there.
const ProtocolVersion = 1

// MaxMeta bounds an encoded Meta, in bytes.
const MaxMeta = memberlist.MetaMaxSize

// ErrMeta says that a member's metadata is too long or cannot be read.
var ErrMeta = errors.New("bad member metadata")

// Role is what a member does.
type Role uint8

// The roles. Numbers are for ever.
const (
	RoleMaster Role = 1
	RoleWorker Role = 2
)

// String returns master or worker.
func (r Role) String() string {
	switch r {
	case RoleMaster:
		return "master"
	case RoleWorker:
		return "worker"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// Meta is what a member says about itself. Keys are for ever; a key that a release does not know is skipped. Ports are 0
// where a member has no such service.
type Meta struct {
	Role      Role   `cbor:"1,keyasint"`
	ID        string `cbor:"2,keyasint"`           // the same in every life of the member
	ClusterID string `cbor:"3,keyasint,omitempty"` // empty until it belongs to a cluster
	Host      string `cbor:"4,keyasint,omitempty"` // name or address under which its services are dialled
	SparkPort uint16 `cbor:"5,keyasint,omitempty"`
	RESTPort  uint16 `cbor:"6,keyasint,omitempty"`
	WebUIPort uint16 `cbor:"7,keyasint,omitempty"`
	RPCPort   uint16 `cbor:"8,keyasint,omitempty"`
	RaftAddr  string `cbor:"9,keyasint,omitempty"`  // host:port, masters only
	Expect    uint16 `cbor:"10,keyasint,omitempty"` // how many masters its operator expects, masters only
	// Bootstrapped says that a master has a Raft log already.
	Bootstrapped bool `cbor:"11,keyasint,omitempty"`
	// Incarnation is larger in each life of the member; Start fills in the time of the start (Unix nanoseconds) when it is 0.
	Incarnation uint64 `cbor:"12,keyasint"`
	Protocol    uint8  `cbor:"13,keyasint"` // Start fills in ProtocolVersion
	Leaving     bool   `cbor:"14,keyasint,omitempty"`
}

var metaDecoding = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 4, MaxArrayElements: 16, MaxMapPairs: 64, IndefLength: cbor.IndefLengthForbidden,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return mode
}()

// encode returns the bytes that go over gossip.
func (m Meta) encode() ([]byte, error) {
	if m.ID == "" || (m.Role != RoleMaster && m.Role != RoleWorker) {
		return nil, fmt.Errorf("%w: a member needs an id and a role", ErrMeta)
	}
	data, err := cbor.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMeta, err)
	}
	if len(data) > MaxMeta {
		return nil, fmt.Errorf("%w: %d bytes, at most %d fit: shorten the id, host or addresses", ErrMeta, len(data), MaxMeta)
	}
	return data, nil
}

// decodeMeta reads what another member says.
func decodeMeta(data []byte) (Meta, error) {
	var m Meta
	if len(data) > MaxMeta {
		return m, fmt.Errorf("%w: %d bytes", ErrMeta, len(data))
	}
	if err := metaDecoding.Unmarshal(data, &m); err != nil {
		return Meta{}, fmt.Errorf("%w: %w", ErrMeta, err)
	}
	if m.ID == "" || m.Role == 0 {
		return Meta{}, fmt.Errorf("%w: no id or no role", ErrMeta)
	}
	return m, nil
}
