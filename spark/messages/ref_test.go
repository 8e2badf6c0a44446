package messages

import (
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

// A 4.0.1 peer has another RpcEndpointRef than 4.1.4, and is served with the table of the latter: our ref must be made
// of its own.
func TestRefIsClonedFromThePeers(t *testing.T) {
	t.Parallel()
	const parent = "org.apache.spark.rpc.RpcEndpointRef"
	old, current := release(t, "4.0.1", "2.13"), release(t, "4.1.4", "2.13")
	hello := mustDecode(t, mustEncode(t, &Heartbeat{WorkerID: "w", Worker: Ref{Name: "Worker", Host: "w", Port: 1}}, old)).(*Heartbeat)
	before := javaser.Format(hello.Worker.Template)

	env := Env{Classes: current.Classes, Template: hello.Worker.Template}
	b := mustEncode(t, &RegisteredApplication{AppID: "a", Master: Ref{Name: "Master", Host: "m", Port: 7077}}, env)
	suids := SUIDs(mustTree(t, b))
	want, err := old.Classes.Class(parent)
	if err != nil {
		t.Fatal(err)
	}
	if own, err := current.Classes.Class(parent); err != nil || own.SUID == want.SUID {
		t.Fatalf("the two releases do not differ, so nothing is tested: %v", err)
	}
	if suids[parent] != want.SUID {
		t.Errorf("our ref says %d, the peer's %d", suids[parent], want.SUID)
	}
	got := mustDecode(t, b).(*RegisteredApplication).Master
	if got.Name != "Master" || got.Address() != (Address{"m", 7077}) || storedURL(t, got) != "spark://Master@m:7077" {
		t.Errorf("our ref came back as %+v, toString %s", got, storedURL(t, got))
	}
	if timeout, _ := got.Template.Get("defaultAskTimeout"); timeout == nil {
		t.Error("our ref has no timeout: the peer could not ask us")
	}
	if after := javaser.Format(hello.Worker.Template); after != before {
		t.Errorf("the template was changed to\n%s", after)
	}

	// A ref keeps its own template where it is sent on.
	b = mustEncode(t, &Heartbeat{WorkerID: "w", Worker: hello.Worker}, current)
	if SUIDs(mustTree(t, b))[parent] != want.SUID {
		t.Error("the peer's own ref was rewritten")
	}
}

func storedURL(t *testing.T, r Ref) string {
	t.Helper()
	v, _ := r.Template.Get("endpointAddress")
	s, _ := v.(*javaser.Object).Get("toString")
	return s.(string)
}

func TestRefsWithoutAnAddress(t *testing.T) {
	t.Parallel()
	for build, env := range envs() {
		// An executor has no server: rpcAddress is null, and the URL another.
		client := mustDecode(t, mustEncode(t, &Heartbeat{Worker: Ref{Name: "Executor"}}, env)).(*Heartbeat).Worker
		if client.Address() != (Address{}) || storedURL(t, client) != "spark-client://Executor" {
			t.Errorf("%s: %+v, %s", build, client, storedURL(t, client))
		}
		// It serves as a template for a ref with an address, and the other way round.
		env.Template = client.Template
		server := mustDecode(t, mustEncode(t, &Heartbeat{Worker: Ref{Name: "Master", Host: "m", Port: 7077}}, env)).(*Heartbeat).Worker
		if server.Address() != (Address{"m", 7077}) || storedURL(t, server) != "spark://Master@m:7077" {
			t.Errorf("%s: %+v, %s", build, server, storedURL(t, server))
		}
		env.Template = server.Template
		again := mustDecode(t, mustEncode(t, &Heartbeat{Worker: Ref{Name: "Executor"}}, env)).(*Heartbeat).Worker
		if again.Address() != (Address{}) || storedURL(t, again) != "spark-client://Executor" {
			t.Errorf("%s: %+v, %s", build, again, storedURL(t, again))
		}
		// A template without a timeout gets one.
		bald := shallow(server.Template)
		if err := bald.Set("defaultAskTimeout", nil); err != nil {
			t.Fatal(err)
		}
		env.Template = bald
		whole := mustDecode(t, mustEncode(t, &Heartbeat{Worker: Ref{Name: "Master", Host: "m", Port: 7077}}, env)).(*Heartbeat).Worker
		if timeout, _ := whole.Template.Get("defaultAskTimeout"); timeout == nil {
			t.Errorf("%s: a ref without a timeout", build)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for a, want := range map[Address][2]string{
		{"h", 1}:             {"h:1", "h:1"},
		{"10.0.0.1", 7077}:   {"10.0.0.1:7077", "10.0.0.1:7077"},
		{"[2001:db8::1]", 1}: {"[2001:db8::1]:1", "[2001:db8::1]:1"},
		{"2001:db8::1", 1}:   {"2001:db8::1:1", "[2001:db8::1]:1"},
	} {
		if got := [2]string{a.String(), a.Dial()}; got != want {
			t.Errorf("%+v: %q, want %q", a, got, want)
		}
	}
}
