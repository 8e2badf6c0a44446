package messages

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// Address is an org.apache.spark.rpc.RpcAddress. The zero Address stands for null: an environment that nobody can dial.
type Address struct {
	Host string // as the peer announces it; an IPv6 address is in brackets
	Port int
}

// String is host:port.
func (a Address) String() string { return a.Host + ":" + strconv.Itoa(a.Port) }

// Dial is the address in the form that net.Dial takes.
func (a Address) Dial() string {
	host := a.Host
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	return net.JoinHostPort(host, strconv.Itoa(a.Port))
}

// Ref is an endpoint ref (org.apache.spark.rpc.netty.NettyRpcEndpointRef): a named endpoint of a process. Its receiver
// binds it to the connection on which it came.
type Ref struct {
	Name string // "Master", "Worker", "AppClient", "client"
	Host string // "" for a process without a server port
	Port int

	// Template is the tree of a ref, of which all but name, host and port is used when this one is written. A decoded
	// ref has its own. The tree is shared and must not be changed.
	Template *javaser.Object
}

// Address is where the endpoint's process listens; zero for a process without a server port.
func (r Ref) Address() Address { return Address{r.Host, r.Port} }

// URL is what Spark calls the endpoint's URI, such as "spark://Worker@host:port".
func (r Ref) URL() string {
	if r.Host == "" {
		return "spark-client://" + r.Name
	}
	return "spark://" + r.Name + "@" + r.Address().String()
}

func readAddress(p *parser, v javaser.Value) (Address, error) {
	if v == nil {
		return Address{}, nil
	}
	r, err := fields(p, v, classAddress)
	if err != nil {
		return Address{}, err
	}
	a := Address{Host: r.str("host"), Port: r.int("port")}
	return a, r.err
}

func readRef(p *parser, v javaser.Value) (Ref, error) {
	r, err := fields(p, v, classRef)
	if err != nil {
		return Ref{}, err
	}
	ref := take(r, "endpointAddress", func(p *parser, v javaser.Value) (Ref, error) {
		e, err := fields(p, v, classEndpointAddress)
		if err != nil {
			return Ref{}, err
		}
		a := e.address("rpcAddress")
		out := Ref{Name: e.str("name"), Host: a.Host, Port: a.Port, Template: r.o}
		return out, e.err
	})
	return ref, r.err
}

func (b *builder) address(a Address) javaser.Value {
	if a == (Address{}) {
		return nil
	}
	return b.Object(classAddress, scala.F{Name: "host", Value: a.Host}, scala.F{Name: "port", Value: b.i32(a.Port)})
}

// ref writes a ref: like its template, like that of the message's receiver, or from the class table, in this order.
func (b *builder) ref(r Ref) javaser.Value {
	if r.Name == "" {
		b.note(fmt.Errorf("%w: an endpoint ref without a name", ErrMalformed))
		return nil
	}
	template := r.Template
	if template == nil {
		template = b.env.Template
	}
	if template == nil {
		return b.Object(classRef, scala.F{Name: "defaultAskTimeout", Value: b.askTimeout()},
			scala.F{Name: "endpointAddress", Value: b.endpointAddress(r)})
	}
	out, err := b.cloneRef(template, r)
	if err != nil {
		b.note(fmt.Errorf("ref of %s from a template: %w", r.URL(), err))
		return nil
	}
	return out
}

func (b *builder) endpointAddress(r Ref) javaser.Value {
	return b.Object(classEndpointAddress, scala.F{Name: "name", Value: r.Name},
		scala.F{Name: "rpcAddress", Value: b.address(r.Address())}, scala.F{Name: "toString", Value: r.URL()})
}

// askTimeout is the RpcTimeout that the receiver of a ref uses when it asks the endpoint: Spark's default.
func (b *builder) askTimeout() javaser.Value {
	const seconds = 120
	return b.Object(classTimeout, scala.F{Name: "timeoutProp", Value: "spark.rpc.askTimeout"},
		scala.F{Name: "duration", Value: b.Object(classDuration, scala.F{Name: "length", Value: int64(seconds)},
			scala.F{Name: "unit", Value: b.Constant(classTimeUnit, "SECONDS")})})
}

var errNoRef = errors.New("the template is no endpoint ref")

// cloneRef copies a ref, with another name and address. All that does not change is shared with the template.
func (b *builder) cloneRef(template *javaser.Object, r Ref) (javaser.Value, error) {
	old, err := readRef(newParser(), template)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoRef, err)
	}
	timeout, _ := template.Get("defaultAskTimeout")
	if old.Name == r.Name && old.Host == r.Host && old.Port == r.Port && timeout != nil {
		return template, nil
	}
	out := shallow(template)
	if timeout == nil { // it would break the receiver's asks
		if err := out.Set("defaultAskTimeout", b.askTimeout()); err != nil {
			return nil, err
		}
	}
	inner, _ := template.Get("endpointAddress")
	address := shallow(inner.(*javaser.Object)) // readRef saw that it is one
	rpc, err := b.cloneAddress(address, r.Address())
	if err != nil {
		return nil, err
	}
	return out, errors.Join(address.Set("name", r.Name), address.Set("rpcAddress", rpc), address.Set("toString", r.URL()),
		out.Set("endpointAddress", address))
}

// cloneAddress makes the RpcAddress in an endpoint address, of the template's class if it has one.
func (b *builder) cloneAddress(endpoint *javaser.Object, a Address) (javaser.Value, error) {
	old, _ := endpoint.Get("rpcAddress")
	template, ok := old.(*javaser.Object)
	if !ok || a == (Address{}) {
		return b.address(a), nil
	}
	out := shallow(template)
	return out, errors.Join(out.Set("host", a.Host), out.Set("port", b.i32(a.Port)))
}

// shallow copies an object, but not what it refers to.
func shallow(o *javaser.Object) *javaser.Object {
	out := &javaser.Object{Class: o.Class, Data: make([]javaser.ClassData, len(o.Data))}
	for i, d := range o.Data {
		d.Values = append([]javaser.Value(nil), d.Values...)
		out.Data[i] = d
	}
	return out
}
