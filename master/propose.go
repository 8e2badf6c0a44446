package master

import (
	"context"
	"fmt"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// now is the time that a command carries, in milliseconds since the epoch.
func now() int64 { return time.Now().UnixMilli() }

// propose has a client's command committed, wherever the leader is, and brings back its typed result. A *fsm.Refusal is
// an answer; any other error means that the outcome is unknown or that nobody leads.
func propose[R any](ctx context.Context, m *Master, c fsm.Command) (R, error) {
	return decided[R](c)(m.node.Propose(ctx, fsm.Encode(c, requestID())))
}

// proposeHere is propose for the duties of the leader: it is not forwarded, since a duty ends with its term.
func proposeHere[R any](ctx context.Context, m *Master, c fsm.Command) (R, error) {
	return decided[R](c)(m.node.ApplyLocal(ctx, fsm.Encode(c, "")))
}

func decided[R any](c fsm.Command) func(result []byte, index uint64, err error) (R, error) {
	return func(result []byte, _ uint64, err error) (R, error) {
		var out R
		if err != nil {
			return out, fmt.Errorf("commit %T: %w", c, err)
		}
		err = fsm.DecodeResult(result, &out)
		return out, err
	}
}

// none is the result of commands that answer nothing but a refusal.
type none struct{}
