package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"time"

	"github.com/hashicorp/memberlist"
)

// Profile is a set of gossip timings. Detection and Hint compute what they come to.
type Profile struct {
	Name                        string
	ProbeInterval, ProbeTimeout time.Duration
	SuspicionMult               int
	SuspicionMaxMult            int
	GossipInterval              time.Duration
	AwarenessMax                int // how far a member that feels unwell itself stretches its probes
}

// The profiles, with the computed times in seconds until a silent death is hinted at (Hint: what the leader acts on) and
// until the first member knows it (Detection), at 10 / 100 / 1,000 / 5,000 members. TestProfilesInVirtualTime holds them
// against pools of members in virtual time.
//
//	        hint   known
//	normal  0.60    2.35 / 3.85 /  5.35 /  6.40
//	fast    0.24    0.94 / 1.54 /  2.14 /  2.56
//	wan     1.20    5.70 / 9.70 / 13.70 / 16.50
//
// One in a hundred takes 3.9 probe intervals longer, since it happens to be probed late. fast costs 0.25 % of a core.
var (
	ProfileNormal = Profile{"normal", 500 * time.Millisecond, 250 * time.Millisecond, 3, 3, 200 * time.Millisecond, 4}
	ProfileFast   = Profile{"fast", 200 * time.Millisecond, 100 * time.Millisecond, 3, 2, 100 * time.Millisecond, 4}
	ProfileWAN    = Profile{"wan", time.Second, 500 * time.Millisecond, 4, 6, 200 * time.Millisecond, 8}
)

// firstProbe is after how many probe intervals half of all deaths have been probed: every member probes one other in each
// interval, so that the dead one is probed once in each on average, and not at all in k of them with probability e^-k.
const firstProbe = 0.7

// Hint computes the median time from a silent death to the first member that misses its answer.
func (p Profile) Hint(int) time.Duration {
	return time.Duration(firstProbe*float64(p.ProbeInterval)) + p.ProbeTimeout
}

// Detection computes the median time from a silent death of one of so many members until the first of them knows: it is
// probed, the probe has failed after a whole interval, and nobody has objected in the suspicion time, the shortest one, since
// others confirm it.
func (p Profile) Detection(members int) time.Duration {
	return time.Duration(firstProbe*float64(p.ProbeInterval)) + p.ProbeInterval + p.suspicion(members)
}

// suspicion is the shortest suspicion time among so many members, as the library computes it.
func (p Profile) suspicion(members int) time.Duration {
	scale := math.Max(1, math.Log10(math.Max(1, float64(members))))
	return time.Duration(p.SuspicionMult) * time.Duration(scale*1000) * p.ProbeInterval / 1000
}

// ProfileByName returns the profile called normal, fast or wan; the empty name means normal.
func ProfileByName(name string) (Profile, error) {
	switch name {
	case "", ProfileNormal.Name:
		return ProfileNormal, nil
	case ProfileFast.Name:
		return ProfileFast, nil
	case ProfileWAN.Name:
		return ProfileWAN, nil
	}
	return Profile{}, fmt.Errorf("unknown profile %q: use normal, fast or wan", name)
}

// Label is what Firesteel's clusters use for Config.Label: it keeps other software that speaks the library's protocol apart.
const Label = "firesteel"

// Config describes this member. Meta (with ID and Role) and BindAddr are required.
type Config struct {
	// Label separates clusters that share a network: members of another label are not heard. At most 255 bytes.
	Label string
	// BindAddr is an IP address or a name of this host; BindPort serves UDP and TCP, 0 picks a free one.
	BindAddr string
	BindPort int
	// AdvertiseAddr and AdvertisePort are what the others dial. Default: what is bound, or a private address of this host
	// when all are bound.
	AdvertiseAddr string
	AdvertisePort int
	// Key encrypts all gossip (32 bytes, see LoadKeyFile). It may be missing only on loopback.
	Key     []byte
	Profile Profile
	Meta    Meta
	// OnEvent is called for every change of another member, in order, from one goroutine. It may take its time, but must not
	// call Close, which waits for it.
	OnEvent func(Event)
	Logger  *slog.Logger
}

const (
	// pushPullInterval is how often a member compares its whole view with another's; the library stretches it above 32
	// members, sixfold at 1,000.
	pushPullInterval = 15 * time.Second
	streamTimeout    = 3 * time.Second
	gossipNodes      = 3
	retransmitMult   = 4
	indirectChecks   = 3
	handoffDepth     = 4096
	dnsTimeout       = 5 * time.Second
)

func (c *Config) setDefaults() {
	if c.Profile == (Profile{}) {
		c.Profile = ProfileNormal
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Meta.Incarnation == 0 {
		c.Meta.Incarnation = uint64(time.Now().UnixNano())
	}
	c.Meta.Protocol = ProtocolVersion
}

// resolve checks the configuration and turns names into addresses, since the library would bind all addresses for a name.
func (c *Config) resolve() error {
	if c.BindAddr == "" {
		return errors.New("gossip: no bind address given")
	}
	bind, err := resolveIP(c.BindAddr)
	if err != nil {
		return err
	}
	c.BindAddr = bind.String()
	if c.AdvertiseAddr != "" {
		advertise, err := resolveIP(c.AdvertiseAddr)
		if err != nil {
			return err
		}
		c.AdvertiseAddr = advertise.String()
	}
	switch {
	case len(c.Key) == 0 && !bind.IsLoopback():
		return fmt.Errorf("%w (bind address %s)", ErrKeyRequired, bind)
	case len(c.Key) != 0 && len(c.Key) != KeySize:
		return fmt.Errorf("%w: a key has %d bytes, this one %d", ErrKeyFile, KeySize, len(c.Key))
	}
	return nil
}

func resolveIP(host string) (net.IP, error) {
	if ip := net.ParseIP(host); ip != nil {
		return ip, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), dnsTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("gossip: cannot resolve address %q: %w", host, err)
	}
	for _, a := range addrs {
		if v4 := a.IP.To4(); v4 != nil {
			return v4, nil
		}
	}
	return addrs[0].IP, nil // LookupIPAddr returns an error rather than nothing
}

// library returns the configuration of the library.
func (c *Config) library() *memberlist.Config {
	conf := memberlist.DefaultLANConfig()
	// Each life has its own name, so that a restarted member at a new address is not taken for a conflict.
	conf.Name = fmt.Sprintf("%s#%x", c.Meta.ID, c.Meta.Incarnation)
	conf.Label = c.Label
	conf.BindAddr, conf.BindPort = c.BindAddr, c.BindPort
	conf.AdvertiseAddr, conf.AdvertisePort = c.AdvertiseAddr, c.AdvertisePort
	if conf.AdvertisePort == 0 {
		conf.AdvertisePort = c.BindPort
	}
	conf.SecretKey = c.Key
	conf.GossipVerifyIncoming, conf.GossipVerifyOutgoing = true, true
	conf.EnableCompression = false // small packets; and 0.6.0 does not bound what it decompresses
	conf.ProbeInterval, conf.ProbeTimeout = c.Profile.ProbeInterval, c.Profile.ProbeTimeout
	conf.SuspicionMult, conf.SuspicionMaxTimeoutMult = c.Profile.SuspicionMult, c.Profile.SuspicionMaxMult
	conf.GossipInterval, conf.GossipNodes = c.Profile.GossipInterval, gossipNodes
	conf.RetransmitMult, conf.IndirectChecks = retransmitMult, indirectChecks
	conf.AwarenessMaxMultiplier = c.Profile.AwarenessMax
	conf.PushPullInterval, conf.TCPTimeout = pushPullInterval, streamTimeout
	conf.HandoffQueueDepth = handoffDepth
	conf.Logger = libraryLogger(c.Logger)
	return conf
}
