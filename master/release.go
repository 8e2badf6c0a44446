package master

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
)

// This file finds out which feature release a driver or a JVM worker is of, before it is registered. What they send shows
// their build only, which releases share; so they are asked (rpcenv.Peer.AskRelease). The answer goes into the log with the
// registration, as the labels that the scheduler matches: no later leader has to ask again.

// releaseTimeout is how long a peer is waited for. A JVM that has just started on a busy machine takes a while; one that
// does not answer is not registered, and asks again by itself.
const releaseTimeout = 10 * time.Second

// guesses remembers what peers of a build turned out to be, since the next ones probably are, too: a peer whose release is
// guessed has no word of the question in its log.
type guesses struct {
	mu   sync.Mutex
	last map[releases.Build]int64
}

func (g *guesses) of(b releases.Build) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe, ok := g.last[b]; ok {
		return probe
	}
	return b.Guess()
}

// learn keeps known builds only, of which there are few: a peer can name any number of others.
func (g *guesses) learn(b releases.Build, probe int64) {
	if b.Guess() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last == nil {
		g.last = map[releases.Build]int64{}
	}
	g.last[b] = probe
}

// askRelease gives the peer's number of releases.ProbeClass, which is guessed to be the one given; 0 for a peer that is no
// Spark of a kind that could tell.
func (d *door) askRelease(ctx context.Context, p *rpcenv.Peer, endpoint string, b releases.Build, guess int64) (probe int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	probe, err = p.AskRelease(ctx, endpoint, guess)
	switch {
	case errors.Is(err, rpcenv.ErrNoRelease):
		d.log.Warn("a peer does not tell its Spark release; it is matched by its build alone", "peer", p.Address().String(), "build", b, "error", err)
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("ask %s at %s for its Spark release: %w", endpoint, p.Address(), err)
	}
	d.m.guesses.learn(b, probe)
	return probe, nil
}

// labelsOfWorker are what a JVM worker can run: applications of its own release.
func (d *door) labelsOfWorker(ctx context.Context, p *rpcenv.Peer, msg *messages.RegisterWorker) ([]string, error) {
	build, _, err := releases.Identify(messages.SUIDs(msg.Worker.Template))
	if err != nil {
		return nil, fmt.Errorf("worker %s: %w", msg.ID, err)
	}
	if w, ok := d.m.fsm.State().Worker(msg.ID); ok && w.Kind == fsm.WorkerJVM && w.State != fsm.WorkerDead {
		return w.Builds, nil // it registers with every master, and one has asked it
	}
	probe, err := d.askRelease(ctx, p, workerEndpoint, build, d.m.guesses.of(build))
	if err != nil {
		return nil, err
	}
	if probe == 0 {
		var builds []string
		for _, b := range build.Alternatives() {
			builds = append(builds, string(b))
		}
		return builds, nil
	}
	return releases.WorkerLabels(build, probe), nil
}

// labelOfDriver is what an application needs of a worker.
func (d *door) labelOfDriver(ctx context.Context, p *rpcenv.Peer, msg *messages.RegisterApplication, build releases.Build, ref []byte) (string, error) {
	if a, ok := d.m.fsm.State().AppOfDriver(msg.Driver.Host, msg.Driver.Port); ok && bytes.Equal(a.DriverRef, ref) {
		return a.Build, nil // it registers with every master, and one has asked it
	}
	guess := d.m.guesses.of(build)
	if release, ok := releases.VersionHint(build, msg.App.Command.JavaOpts); ok {
		guess = releases.ProbeOf(build, release) // its options tell mostly; they may be those of a release that is to come, too
	}
	probe, err := d.askRelease(ctx, p, appClient, build, guess)
	if err != nil {
		return "", err
	}
	return labelOf(build, probe, msg.App.Command), nil
}

// labelOf joins what is known of an application's release: by the classes of its registration, by its driver's answer or
// else by its JVM options, and by its own wish.
func labelOf(build releases.Build, probe int64, c messages.Command) string {
	label := string(build)
	if probe != 0 {
		label = releases.LabelByProbe(build, probe)
	} else if release, ok := releases.VersionHint(build, c.JavaOpts); ok {
		label = releases.Label(build, release)
	}
	if wish := c.Environment[releases.HomeWish]; wish != "" {
		label = releases.LabelWish(label, wish)
	}
	return label
}
