package master

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/web/submission"
)

// FuzzDoor: what a Spark process or a Go worker says of itself becomes a command that every master takes, and that leaves
// the books right, or is refused.
func FuzzDoor(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "spark", "messages", "testdata", "captures", "*", "*Register*.ser"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no captures: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	hello, err := proto.Marshal(&clusterpb.Hello{
		Id: "w", Host: "h", Port: 1, Cores: 2, MemoryMb: 3, Resources: map[string]*clusterpb.Addresses{"gpu": {Addresses: []string{"0", "0"}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hello)
	f.Add([]byte(submissionBody("spark.driver.cores", "2", "spark.driver.resource.gpu.amount", "1", submitTime, "1")))
	submit, err := messages.Encode(&messages.RequestSubmitDriver{Driver: descriptionOf("-Da=b")}, messages.Env{Classes: newestTable()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(submit)
	settings, err := config.LoadMaster(config.MasterFlags{}, config.Env{})
	if err != nil {
		f.Fatal(err)
	}
	m := &Master{cfg: Config{Spark: settings}}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, cmd := range commandsOf(m, b) {
			machine := fsm.New(fsm.Config{Fatal: func(err error) { t.Errorf("%T stops the masters: %v", cmd, err) }})
			bytes := fsm.Encode(cmd, "r")
			if err := fsm.Check(bytes); err != nil {
				t.Errorf("%T is refused by the other masters: %v", cmd, err)
			}
			machine.Apply(1, 1, [][]byte{bytes, bytes, fsm.Encode(cmd, "s")})
			if err := machine.State().Invariants(); err != nil {
				t.Errorf("%T: %v", cmd, err)
			}
		}
	})
}

// commandsOf reads bytes as everything that may come from outside.
func commandsOf(m *Master, b []byte) (cmds []fsm.Command) {
	msg, err := messages.Decode(b, javaser.Limits{MaxDepth: 64, MaxHandles: 4096, MaxElements: 1 << 16})
	if err == nil {
		switch msg := msg.(type) {
		case *messages.RegisterApplication:
			_, _ = buildOf(msg)
			if cmd, err := m.registration(msg); err == nil {
				cmds = append(cmds, cmd)
			}
		case *messages.RegisterWorker:
			if cmd, err := workerRegistration(msg, []string{"build"}); err == nil {
				cmds = append(cmds, cmd)
			}
		case *messages.RequestSubmitDriver:
			if msg.Driver != nil {
				driver := *msg.Driver
				driver.Tree = nil
				cmds = append(cmds, submitted(m, &driver, clientKey(wireAddress("h", 1), msg.Driver))...)
			}
		}
	}
	if r, err := submission.ParseRequest(b); err == nil {
		if d, err := r.Describe(submission.Context{Masters: "spark://m:7077"}); err == nil {
			cmds = append(cmds, submitted(m, d, namesOf("key", r))...)
		}
	}
	var h clusterpb.Hello
	if proto.Unmarshal(b, &h) == nil {
		cmds = append(cmds, &fsm.RegisterWorker{Worker: fsm.Worker{
			ID: h.GetId(), Host: h.GetHost(), Port: int(h.GetPort()), Cores: int(h.GetCores()), MemoryMB: int(h.GetMemoryMb()), WebUIURL: h.GetWebUiUrl(),
			Incarnation: h.GetIncarnation(), Resources: addressMap(h.GetResources()),
		}})
	}
	return cmds
}

func submitted(m *Master, d *messages.DriverDescription, names submissionName) []fsm.Command {
	cmd, err := m.driverCommand(queued{driver: d, main: mainClass(d), label: "build", table: newestTable(), names: names})
	if err != nil {
		return nil
	}
	return []fsm.Command{cmd}
}
