package master

import (
	"fmt"
	"math"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// registration makes the command of a RegisterApplication: what the master decides by, and the two object trees that are
// passed on as they came. The application's label is missing: its driver has to be asked (release.go).
func (m *Master) registration(msg *messages.RegisterApplication) (*fsm.RegisterApplication, error) {
	description, err := messages.EncodeTree(msg.App.Tree)
	if err != nil {
		return nil, fmt.Errorf("keep the description of application %q: %w", msg.App.Name, err)
	}
	ref, err := messages.EncodeTree(msg.Driver.Template)
	if err != nil {
		return nil, fmt.Errorf("keep the driver's ref of application %q: %w", msg.App.Name, err)
	}
	prof := profile(msg.App.DefaultProfile)
	prof.Target = fsm.Unlimited
	if n := msg.App.InitialExecutorLimit; n != nil {
		prof.Target = max(*n, 0)
	}
	cmd := &fsm.RegisterApplication{Retained: m.cfg.Spark.RetainedApplications, App: fsm.App{
		Name: msg.App.Name, User: msg.App.User, UIURL: msg.App.AppUIURL, MaxCores: m.cfg.Spark.DefaultCores,
		DriverHost: msg.Driver.Host, DriverPort: msg.Driver.Port, DriverRef: ref, Description: description,
		DriverID: msg.App.Command.Environment[releases.DriverRun],
		Profiles: []fsm.Profile{prof}, Submitted: now(),
	}}
	if n := msg.App.MaxCores; n != nil {
		cmd.App.MaxCores = *n
	}
	if m.cfg.Spark.UseAppNameAsAppID {
		cmd.ID.Exact = nameAsID(msg.App.Name)
	}
	if cmd.ID.Exact == "" {
		if cmd.ID, err = m.appIDs.at(m.cfg.Spark.AppIDPattern, time.Now()); err != nil {
			return nil, err
		}
		cmd.ID.Modulo = uint64(m.cfg.Spark.AppNumberModulo)
	}
	return cmd, nil
}

// buildOf tells what an application was built with, by the classes of its registration.
func buildOf(msg *messages.RegisterApplication) (releases.Build, error) {
	suids := messages.SUIDs(msg.App.Tree)
	for class, suid := range messages.SUIDs(msg.Driver.Template) {
		suids[class] = suid
	}
	build, _, err := releases.Identify(suids)
	if err != nil {
		return "", fmt.Errorf("application %q: %w", msg.App.Name, err)
	}
	return build, nil
}

// profile takes from a resource profile what placement needs. The scheduler counts spark.executor.memory only, as Spark's
// standalone Master does (ResourceProfile.getExecutorMemory).
func profile(p messages.ResourceProfile) fsm.Profile {
	out := fsm.Profile{ID: p.ID}
	for name, r := range p.Executor {
		amount := int(min(max(r.Amount, 0), math.MaxInt32))
		switch name {
		case messages.ResourceCores:
			out.Cores = amount
		case messages.ResourceMemory:
			out.MemoryMB = amount
		case messages.ResourceOffHeap, messages.ResourceMemoryOverhead, messages.ResourcePySparkMemory:
		default:
			if amount > 0 {
				out.Resources = append(out.Resources, fsm.ResourceAmount{Name: name, Amount: amount})
			}
		}
	}
	return out
}

// dialectOf is how an application's driver is spoken to: by the table of its build, with refs cloned from its own.
func dialectOf(build string, ref []byte) (rpcenv.Dialect, error) {
	r, err := messages.DecodeRef(ref, javaser.DefaultLimits())
	if err != nil {
		return rpcenv.Dialect{}, fmt.Errorf("read a stored ref: %w", err)
	}
	table, err := tableFor(build, messages.SUIDs(r.Template))
	if err != nil {
		return rpcenv.Dialect{}, err
	}
	return rpcenv.Dialect{Table: table, Ref: r.Template}, nil
}

// tableFor finds the table of a build; one that is not in our tables speaks the messages of a dialect that is.
func tableFor(build string, suids map[string]int64) (*releases.Table, error) {
	b, _ := releases.SplitLabel(build)
	if t, ok := releases.ForBuild(b); ok {
		return t, nil
	}
	_, t, err := releases.Identify(suids)
	if err != nil {
		return nil, fmt.Errorf("find the class table of build %s: %w", build, err)
	}
	return t, nil
}

func wireAddress(host string, port int) wire.Address { return wire.Address{Host: host, Port: port} }

func sparkAddress(a wire.Address) rpc.SparkAddress {
	return rpc.SparkAddress{Host: a.Host, Port: a.Port}
}

// sparkState converts a state to Spark's enumeration, which counts from 0.
func sparkState(s fsm.ExecutorState) messages.ExecutorState { return messages.ExecutorState(s) - 1 }
