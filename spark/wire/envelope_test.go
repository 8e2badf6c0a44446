package wire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestEnvelopes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		e    Envelope
		hex  string
	}{
		{"both addresses", sample, sampleEnvelope},
		{"an executor, which has no server", Envelope{Receiver: Address{"w7", 41001}, Endpoint: "Worker", Payload: []byte{1}},
			"00 01 0002 7737 0000a029 0006 576f726b6572 01"},
		{"neither address", Envelope{Endpoint: "Master", Payload: []byte{}}, "00 00 0006 4d6173746572"},
		{"an IPv6 host as Spark announces it", Envelope{Sender: Address{"[::1]", 7077}, Endpoint: "M", Payload: []byte{}},
			"01 0005 5b3a3a315d 00001ba5 00 0001 4d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := unhex(t, c.hex)
			if got := c.e.append(nil); !bytes.Equal(got, want) {
				t.Errorf("written\n%x\nwant\n%x", got, want)
			}
			if got := c.e.size(); got != len(want) {
				t.Errorf("size %d, want %d", got, len(want))
			}
			got, err := parseEnvelope(want)
			if err != nil || !reflect.DeepEqual(got, c.e) {
				t.Errorf("read %+v, %v; want %+v", got, err, c.e)
			}
		})
	}
}

func TestEnvelopesThatAreRefused(t *testing.T) {
	t.Parallel()
	whole := unhex(t, sampleEnvelope)
	for n := range len(whole) - len(sample.Payload) {
		if _, err := parseEnvelope(whole[:n]); !errors.Is(err, ErrEnvelope) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	for _, c := range []struct{ name, hex, text string }{
		{"an address tag", "02 00", "sender: tag 2"},
		{"a receiver's tag", "00 07", "receiver: tag 7"},
		{"a port over 65535", "01 0001 68 00010000 00 0001 4d", "sender: port 65536"},
		{"a negative port", "01 0001 68 ffffffff 00 0001 4d", "sender: port -1"},
		{"a host longer than the message", "01 ffff 68", "sender: cut short"},
		{"a name longer than the message", "00 00 ffff 4d", "endpoint name: cut short"},
	} {
		_, err := parseEnvelope(unhex(t, c.hex))
		if !errors.Is(err, ErrEnvelope) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.text)
		}
	}
}

// The first frame of a peer with spark.authenticate is a SaslMessage: the tag, "sparkSaslUser" and a buffer.
func TestAuthenticationIsRecognised(t *testing.T) {
	t.Parallel()
	for _, hex := range []string{"ea 0000000d 737061726b5361736c55736572 00000000", "fb 00000000", "fa 00000000", "ea"} {
		if _, err := parseEnvelope(unhex(t, hex)); !errors.Is(err, ErrSASL) || !strings.Contains(err.Error(), "spark.authenticate") {
			t.Errorf("%s: got %v", hex, err)
		}
	}
}

func TestEnvelopesThatHaveNoForm(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<16)
	for _, e := range []Envelope{
		{Endpoint: long}, {Sender: Address{long, 1}}, {Receiver: Address{long, 1}}, {Sender: Address{"h", -1}}, {Receiver: Address{"h", 65536}},
	} {
		if err := e.check(); !errors.Is(err, ErrEnvelope) || len(err.Error()) > 100 {
			t.Errorf("got %v", err)
		}
	}
	if err := sample.check(); err != nil {
		t.Error(err)
	}
}

func TestAddressText(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]Address{
		"spark://m1:7077": {"m1", 7077}, "spark://[::1]:1": {"::1", 1}, "spark://[fe80::2]:2": {"[fe80::2]", 2},
	} {
		if got := a.URL(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if !(Address{}).IsZero() || (Address{Host: "h"}).IsZero() {
		t.Error("IsZero")
	}
}
