package master

import (
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/messages"
)

// Spark's worker tells an exception with ERROR alone; its RPC client ends with another code for every status that has one.
func TestOnlyAnErrorHasAnException(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side := workerSide(t)
	w := session(t, m, side, helloOf(side, "worker-1"))
	w.welcome()
	eventually(t, m, "the worker is used", attached(m, "worker-1"))
	rest, rpc := restOf(t, m), newRPCClient(t, newestTable(), m)
	for _, x := range []struct {
		state     clusterpb.DriverState
		said      string
		exception bool
		message   string
	}{
		{clusterpb.DriverState_DRIVER_STATE_FINISHED, "", false, ""},
		{clusterpb.DriverState_DRIVER_STATE_FAILED, "exit code 5", false, "exit code 5"},
		{clusterpb.DriverState_DRIVER_STATE_KILLED, "asked by the master", false, ""},
		{clusterpb.DriverState_DRIVER_STATE_ERROR, "no such jar", true, "Exception from the cluster:\nno such jar"},
	} {
		id := rest.ask("POST", "create", submissionBody()).SubmissionID
		launch := w.next().GetLaunchDriver()
		if launch.GetRunId() != id {
			t.Fatalf("launched: %v, not %s", launch, id)
		}
		w.send(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Driver{Driver: &clusterpb.DriverReport{RunId: id, State: x.state, Message: x.said}}})
		eventually(t, m, "the end", func(s *fsm.State) bool { d, ok := s.CompletedDriver(id); return ok && d.Exception == x.said })
		if ack := w.next().GetDriverAck(); ack.GetRunId() != id {
			t.Errorf("acknowledged: %v, not %s", ack, id)
		}
		if got := rest.ask("GET", "status/"+id, ""); !got.Success || got.Message != x.message {
			t.Errorf("%v by REST: %+v", x.state, got)
		}
		if got := askAll[*messages.DriverStatusResponse](rpc, &messages.RequestDriverStatus{DriverID: id})[0]; !got.Found || (got.Exception != nil) != x.exception {
			t.Errorf("%v by RPC: %+v", x.state, got)
		}
	}
}
