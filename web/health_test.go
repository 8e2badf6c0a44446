package web

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

func TestWorkerHealth(t *testing.T) {
	t.Parallel()
	m := fsm.New(fsm.Config{})
	var cmds [][]byte
	at := time.UnixMilli(1_000_000)
	for i, id := range []string{"dead", "flaps", "suspect", "well"} {
		cmds = append(cmds, fsm.Encode(&fsm.RegisterWorker{Worker: fsm.Worker{ID: id, Host: "h", Port: i + 1, Cores: 1, MemoryMB: 1, Incarnation: "1", Registered: 1}}, ""))
	}
	damping := &fsm.Damping{Weight: 2, Step: 2, FirstMs: 5000, MaxMs: 5000, DecayMs: 1000}
	for _, c := range []fsm.Command{
		&fsm.WorkerLost{ID: "dead", At: 2, Reason: "test", Damping: damping},
		&fsm.SuspectWorker{ID: "flaps", At: 999_000, Damping: damping},
		&fsm.SuspectWorker{ID: "suspect", Since: 999_500, Reason: "silent", At: 999_900},
		&fsm.SetBrake{Brake: fsm.Brake{Since: 999_800, Until: 1_014_800, Suspects: 5, Workers: 9}},
	} {
		cmds = append(cmds, fsm.Encode(c, ""))
	}
	m.Apply(1, 1, cmds)
	got, err := json.Marshal(WorkerHealthOf(m.State(), at))
	want := `{"suspects":[{"id":"suspect","since":999500,"reason":"silent"}],"heldBack":[{"id":"flaps","until":1004000,"flaps":2}],` +
		`"brake":{"since":999800,"until":1014800,"suspects":5,"workers":9}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
	got, err = json.Marshal(WorkerHealthOf(m.State(), at.Add(time.Minute)))
	if err != nil || string(got) == want {
		t.Errorf("%s, %v", got, err)
	}
	if got, _ := json.Marshal(WorkerHealthOf(fsm.New(fsm.Config{}).State(), at)); string(got) != `{"suspects":[],"heldBack":[],"brake":null}` {
		t.Errorf("%s", got)
	}
}
