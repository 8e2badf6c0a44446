package snapfile

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/firesteel/firesteel/fsm"
)

func state(t testing.TB, apps int) *fsm.State {
	t.Helper()
	m := fsm.New(fsm.Config{})
	cmds := [][]byte{fsm.Encode(&fsm.SetCluster{ID: "c"}, "")}
	random := rand.New(rand.NewPCG(1, 1))
	for i := range apps {
		description := make([]byte, 5000) // that does not compress, so that there are many pieces
		for j := range description {
			description[j] = byte(random.Uint32())
		}
		cmds = append(cmds, fsm.Encode(&fsm.RegisterApplication{ID: fsm.IDParts{Prefix: "app-"}, App: fsm.App{
			Name: "a", DriverHost: "h", DriverPort: i + 1, MaxCores: 1, Description: description, Profiles: []fsm.Profile{{Cores: 1, MemoryMB: 1, Target: 1}},
		}}, ""))
	}
	m.Apply(7, 3, cmds)
	if m.State().AppCount() != apps {
		t.Fatal("the state is not what the test wants")
	}
	return m.State()
}

func write(t testing.TB, s *fsm.State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, Meta{ClusterID: s.ClusterID(), Index: s.Index(), Term: s.Term(), SavedMS: 5, SavedBy: "m1"}, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, apps := range []int{0, 1, 50} {
		s := state(t, apps)
		b := write(t, s)
		f, err := Read(iotest.OneByteReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatal(err)
		}
		if f.Meta != (Meta{"c", 7, 3, 5, "m1"}) || f.Size != int64(len(b)) || len(f.SHA256) != 64 || f.State.Digest() != s.Digest() {
			t.Errorf("%+v", f)
		}
	}
}

// Every file that is cut, longer, or changed in one bit is refused.
func TestDamagedFilesAreRefused(t *testing.T) {
	t.Parallel()
	good := write(t, state(t, 1))
	refused := func(what string, at int, b []byte) {
		t.Helper()
		if _, err := Read(bytes.NewReader(b)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s at %d of %d: %v", what, at, len(good), err)
		}
	}
	for at := range good {
		if at%53 == 0 {
			refused("cut", at, good[:at])
		}
		if at > 200 && at%41 > 0 && at < len(good)-64 {
			continue
		}
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		refused("a bit changed", at, bad)
	}
	refused("longer", len(good), append(bytes.Clone(good), 0))
	refused("empty", 0, nil)
	refused("text", 0, []byte(strings.Repeat("no snapshot\n", 100)))
}

// A description that is another state's is refused, though every checksum is right.
func TestTheDescriptionIsThatOfTheState(t *testing.T) {
	t.Parallel()
	for _, m := range []Meta{{ClusterID: "other", Index: 7, Term: 3}, {ClusterID: "c", Index: 8, Term: 3}, {ClusterID: "c", Index: 7, Term: 4}} {
		var b bytes.Buffer
		if err := Write(&b, m, state(t, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

var errDisk = errors.New("disk")

func TestErrorsOfTheDiskAreTold(t *testing.T) {
	t.Parallel()
	s := state(t, 20)
	for room, size := 0, len(write(t, s)); room < size; room += 5003 {
		if err := Write(&limited{room: room}, Meta{ClusterID: "c", Index: 7, Term: 3}, s); !errors.Is(err, errDisk) {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
	}
}

// limited has room for so many bytes.
type limited struct{ room int }

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.room {
		return 0, errDisk
	}
	l.room -= len(b)
	return len(b), nil
}

// FuzzRead: whatever a file holds, it is read or refused.
func FuzzRead(f *testing.F) {
	good := write(f, state(f, 1))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(magic + "\xff\xff\xff\xff"))
	f.Add([]byte(magic + "\x00\x00\x00\x02{}\x00\x10\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Read(bytes.NewReader(b))
		if (err == nil) != (file != nil) {
			t.Errorf("%v, %v", file, err)
		}
		if err == nil {
			if err := Write(io.Discard, file.Meta, file.State); err != nil {
				t.Error(err)
			}
		}
	})
}
