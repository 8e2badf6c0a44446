package messages

import (
	"errors"
	"fmt"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// ErrMalformed says that a message is of a known class, but not what that class holds in any Spark release.
var ErrMalformed = errors.New("malformed spark message")

// Message is one of the pointer types of this package.
type Message interface {
	// ClassName is the Java class of the message, such as "org.apache.spark.deploy.DeployMessages$Heartbeat".
	ClassName() string

	encode(b *builder) javaser.Value
}

// Unknown is a message of a class that this package does not know. Encoding it gives its Tree again.
type Unknown struct {
	Class string // of a singleton object, the singleton's class; "" for what is no object
	Tree  javaser.Value
}

// ClassName is the Java class of the message.
func (m *Unknown) ClassName() string { return m.Class }

func (m *Unknown) encode(*builder) javaser.Value { return m.Tree }

// Env is what the receiver of a message must be written to.
type Env struct {
	// Classes is the dialect of the receiver: its class table and Scala version.
	Classes scala.Dialect
	// Template is an endpoint ref that the receiver sent: refs that have no template of their own are written like it.
	// Without any, a ref is made from Classes, which must then be of the receiver's very build.
	Template *javaser.Object
}

// Decode reads a message. A stream that is none, or a message with fields of other types than Spark's, is an error; a
// message of a class that is not known here is an *Unknown.
func Decode(b []byte, lim javaser.Limits) (Message, error) {
	tree, err := javaser.Decode(b, lim)
	if err != nil {
		return nil, err
	}
	return Parse(tree)
}

// Parse is Decode for a stream that has been decoded already. The message may keep parts of the tree: do not change it
// afterwards.
func Parse(tree javaser.Value) (Message, error) {
	class := scala.ClassOf(tree)
	parse, known := parsers[class]
	if !known {
		return &Unknown{Class: class, Tree: tree}, nil
	}
	r := &reader{p: newParser(), o: tree.(*javaser.Object)}
	m := parse(r)
	if r.err != nil {
		return nil, fmt.Errorf("parse %s: %w", class, r.err)
	}
	return m, nil
}

// Encode writes a message for the receiver that env stands for.
func Encode(m Message, env Env) ([]byte, error) { return Append(nil, m, env) }

// Append is Encode into a buffer that the caller has. On an error dst comes back as it was.
func Append(dst []byte, m Message, env Env) ([]byte, error) {
	tree, err := Tree(m, env)
	if err != nil {
		return dst, err
	}
	out, err := javaser.Append(dst, tree)
	if err != nil {
		return dst, fmt.Errorf("encode %s: %w", m.ClassName(), err)
	}
	return out, nil
}

// Tree is the tree that Encode writes.
func Tree(m Message, env Env) (javaser.Value, error) {
	if m == nil || env.Classes == nil {
		return nil, errors.New("encode a message: no message, or no classes to write it with")
	}
	b := newBuilder(env)
	tree := m.encode(b)
	if err := b.failure(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ClassName(), err)
	}
	return tree, nil
}

// SUIDs are the serialVersionUIDs of all classes described in a tree: what tells the build of the peer that wrote it.
// Of a class described twice, which only happens where one peer's tree was embedded in another's, one is given.
func SUIDs(v javaser.Value) map[string]int64 {
	out := make(map[string]int64)
	javaser.VisitClasses(v, func(c *javaser.ClassDesc) {
		if _, seen := out[c.Name]; !seen {
			out[c.Name] = c.SUID
		}
	})
	return out
}

// parsers are all message classes that Parse knows.
var parsers = map[string]func(*reader) Message{
	classBoolean:        parseBoolean,
	classInteger:        parseInteger,
	classRPCFailure:     parseRPCFailure,
	classCheckExistence: parseCheckExistence,

	deployed + "RegisterWorker":               parseRegisterWorker,
	deployed + "RegisteredWorker":             parseRegisteredWorker,
	deployed + "RegisterWorkerFailed":         parseRegisterWorkerFailed,
	deployed + "MasterInStandby$":             parseMasterInStandby,
	deployed + "WorkerLatestState":            parseWorkerLatestState,
	deployed + "Heartbeat":                    parseHeartbeat,
	deployed + "ReconnectWorker":              parseReconnectWorker,
	deployed + "DecommissionWorker$":          parseDecommissionWorker,
	deployed + "WorkerDecommissioning":        parseWorkerDecommissioning,
	deployed + "DecommissionWorkers":          parseDecommissionWorkers,
	deployed + "DecommissionWorkersOnHosts":   parseDecommissionWorkersOnHosts,
	deployed + "MasterChanged":                parseMasterChanged,
	deployed + "WorkerSchedulerStateResponse": parseWorkerSchedulerStateResponse,

	deployed + "LaunchExecutor":       parseLaunchExecutor,
	deployed + "KillExecutor":         parseKillExecutor,
	deployed + "ExecutorStateChanged": parseExecutorStateChanged,
	deployed + "ApplicationFinished":  parseApplicationFinished,
	deployed + "LaunchDriver":         parseLaunchDriver,
	deployed + "KillDriver":           parseKillDriver,
	deployed + "DriverStateChanged":   parseDriverStateChanged,

	deployed + "RegisterApplication":      parseRegisterApplication,
	deployed + "RegisteredApplication":    parseRegisteredApplication,
	deployed + "ExecutorAdded":            parseExecutorAdded,
	deployed + "ExecutorUpdated":          parseExecutorUpdated,
	deployed + "WorkerRemoved":            parseWorkerRemoved,
	deployed + "ApplicationRemoved":       parseApplicationRemoved,
	deployed + "UnregisterApplication":    parseUnregisterApplication,
	deployed + "MasterChangeAcknowledged": parseMasterChangeAcknowledged,
	deployed + "RequestExecutors":         parseRequestExecutors,
	deployed + "KillExecutors":            parseKillExecutors,

	deployed + "RequestSubmitDriver":  parseRequestSubmitDriver,
	deployed + "SubmitDriverResponse": parseSubmitDriverResponse,
	deployed + "RequestDriverStatus":  parseRequestDriverStatus,
	deployed + "DriverStatusResponse": parseDriverStatusResponse,
	deployed + "RequestKillDriver":    parseRequestKillDriver,
	deployed + "KillDriverResponse":   parseKillDriverResponse,

	deployed + "RequestKillAllDrivers$":               parseRequestKillAllDrivers,
	deployed + "KillAllDriversResponse":               parseKillAllDriversResponse,
	deployed + "RequestClearCompletedDriversAndApps$": parseRequestClearCompleted,
	deployed + "RequestReadyz$":                       parseRequestReadyz,
	classBoundPortsRequest:                            parseBoundPortsRequest,
	classBoundPortsResponse:                           parseBoundPortsResponse,
}
