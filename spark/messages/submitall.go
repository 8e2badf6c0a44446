package messages

import (
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// RequestKillAllDrivers asks for the end of all drivers, an ask answered with KillAllDriversResponse (Spark 4.0). In Spark
// it is the REST server that sends it, and likewise the two below.
type RequestKillAllDrivers struct{}

// KillAllDriversResponse answers RequestKillAllDrivers. See SubmitDriverResponse for its ref.
type KillAllDriversResponse struct {
	Master  Ref
	Success bool
	Message string
}

// RequestClearCompletedDriversAndApps empties the lists of what is over, an ask answered with a Boolean (Spark 4.0).
type RequestClearCompletedDriversAndApps struct{}

// RequestReadyz asks whether the master takes requests, an ask answered with a Boolean (Spark 4.0).
type RequestReadyz struct{}

// BoundPortsRequest asks for a master's ports, an ask answered with BoundPortsResponse.
type BoundPortsRequest struct{}

// BoundPortsResponse answers BoundPortsRequest.
type BoundPortsResponse struct {
	RPCPort   int
	WebUIPort int
	RESTPort  *int // nil where it serves none
}

// ClassName is the Java class of the message.
func (*RequestKillAllDrivers) ClassName() string { return deployed + "RequestKillAllDrivers$" }

// ClassName is the Java class of the message.
func (*KillAllDriversResponse) ClassName() string { return deployed + "KillAllDriversResponse" }

// ClassName is the Java class of the message.
func (*RequestClearCompletedDriversAndApps) ClassName() string {
	return deployed + "RequestClearCompletedDriversAndApps$"
}

// ClassName is the Java class of the message.
func (*RequestReadyz) ClassName() string { return deployed + "RequestReadyz$" }

// ClassName is the Java class of the message.
func (*BoundPortsRequest) ClassName() string { return classBoundPortsRequest }

// ClassName is the Java class of the message.
func (*BoundPortsResponse) ClassName() string { return classBoundPortsResponse }

func parseRequestKillAllDrivers(*reader) Message { return &RequestKillAllDrivers{} }
func parseRequestClearCompleted(*reader) Message { return &RequestClearCompletedDriversAndApps{} }
func parseRequestReadyz(*reader) Message         { return &RequestReadyz{} }
func parseBoundPortsRequest(*reader) Message     { return &BoundPortsRequest{} }

func parseKillAllDriversResponse(r *reader) Message {
	return &KillAllDriversResponse{Master: r.ref("master"), Success: r.bool("success"), Message: r.text("message")}
}

func parseBoundPortsResponse(r *reader) Message {
	return &BoundPortsResponse{RPCPort: r.int("rpcEndpointPort"), WebUIPort: r.int("webUIPort"), RESTPort: option(r, "restPort", readInt)}
}

func (m *RequestKillAllDrivers) encode(b *builder) javaser.Value { return b.Singleton(m.ClassName()) }

func (m *KillAllDriversResponse) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "master", Value: b.ref(m.Master)}, scala.F{Name: "success", Value: m.Success},
		scala.F{Name: "message", Value: m.Message})
}

func (m *RequestClearCompletedDriversAndApps) encode(b *builder) javaser.Value {
	return b.Singleton(m.ClassName())
}

func (m *RequestReadyz) encode(b *builder) javaser.Value     { return b.Singleton(m.ClassName()) }
func (m *BoundPortsRequest) encode(b *builder) javaser.Value { return b.Singleton(m.ClassName()) }

func (m *BoundPortsResponse) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "rpcEndpointPort", Value: b.i32(m.RPCPort)}, scala.F{Name: "webUIPort", Value: b.i32(m.WebUIPort)},
		scala.F{Name: "restPort", Value: b.optionInt(m.RESTPort)})
}
