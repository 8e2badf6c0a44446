package messages

import (
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// DecommissionWorkers asks a master to drain workers, one-way. In Spark it is the Master that sends it to itself.
type DecommissionWorkers struct {
	IDs []string
}

// DecommissionWorkersOnHosts asks a master to drain all workers of some hosts, an ask answered with an Integer: how many
// there are. In Spark it is the Master's web UI that sends it.
type DecommissionWorkersOnHosts struct {
	Hosts []string // names without ports; case does not matter
}

// Integer is the bare answer to DecommissionWorkersOnHosts.
type Integer struct {
	Value int
}

// ClassName is the Java class of the message.
func (*DecommissionWorkers) ClassName() string { return deployed + "DecommissionWorkers" }

// ClassName is the Java class of the message.
func (*DecommissionWorkersOnHosts) ClassName() string { return deployed + "DecommissionWorkersOnHosts" }

// ClassName is the Java class of the message.
func (*Integer) ClassName() string { return classInteger }

func parseDecommissionWorkers(r *reader) Message { return &DecommissionWorkers{IDs: r.strs("ids")} }

func parseDecommissionWorkersOnHosts(r *reader) Message {
	return &DecommissionWorkersOnHosts{Hosts: r.strs("hostnames")}
}

func parseInteger(r *reader) Message { return &Integer{Value: r.int("value")} }

func (m *DecommissionWorkers) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "ids", Value: b.Strings(m.IDs)})
}

func (m *DecommissionWorkersOnHosts) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "hostnames", Value: b.Strings(m.Hosts)})
}

func (m *Integer) encode(b *builder) javaser.Value { return b.Int(b.i32(m.Value)) }
