package messages

import (
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// CheckExistence asks a process's "endpoint-verifier" whether it has an endpoint. Every peer asks it before it uses one.
// The answer is a Boolean.
type CheckExistence struct {
	Name string // "Master", "Worker"
}

// Boolean is the bare answer to CheckExistence, ExecutorStateChanged, RequestExecutors and KillExecutors.
type Boolean struct {
	Value bool
}

// RPCFailure is the answer of an endpoint that failed to handle an ask (org.apache.spark.rpc.netty.RpcFailure).
type RPCFailure struct {
	Cause Throwable
}

// ClassName is the Java class of the message.
func (*CheckExistence) ClassName() string { return classCheckExistence }

// ClassName is the Java class of the message.
func (*Boolean) ClassName() string { return classBoolean }

// ClassName is the Java class of the message.
func (*RPCFailure) ClassName() string { return classRPCFailure }

func parseCheckExistence(r *reader) Message { return &CheckExistence{Name: r.str("name")} }
func parseBoolean(r *reader) Message        { return &Boolean{Value: r.bool("value")} }
func parseRPCFailure(r *reader) Message     { return &RPCFailure{Cause: take(r, "e", readThrowable)} }

func (m *CheckExistence) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "name", Value: m.Name})
}

func (m *Boolean) encode(b *builder) javaser.Value { return b.Bool(m.Value) }

func (m *RPCFailure) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "e", Value: b.throwable(m.Cause)})
}
