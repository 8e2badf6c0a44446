package messages

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

func TestSamplesCoverEveryMessage(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range samples() {
		seen[m.ClassName()] = true
	}
	for class := range parsers {
		if !seen[class] {
			t.Errorf("no sample of %s", class)
		}
	}
	if len(seen) != len(parsers) {
		t.Errorf("%d types of samples, %d are parsed", len(seen), len(parsers))
	}
}

func TestEveryMessageInEveryDialect(t *testing.T) {
	t.Parallel()
	all := envs()
	if len(all) < 4 {
		t.Fatalf("only %d class tables", len(all))
	}
	for build, env := range all {
		for _, m := range samplesIn(env) {
			b := mustEncode(t, m, env)
			got := mustDecode(t, b)
			if !reflect.DeepEqual(withoutTrees(got), m) {
				t.Errorf("%s:\n%s\ncame back as\n%s", build, show(m), show(got))
			}
			if got.ClassName() != m.ClassName() {
				t.Errorf("%s: %T is of class %s", build, got, got.ClassName())
			}
			if again := mustEncode(t, m, env); !bytes.Equal(b, again) {
				t.Errorf("%s: %T is not always the same bytes", build, m)
			}
		}
	}
}

// A message whose fields are of another type must be refused: no panic, and not taken as if the field were empty.
func TestWrongFieldsAreRefused(t *testing.T) {
	t.Parallel()
	for build, env := range envs() {
		for _, m := range samplesIn(env) {
			b := mustEncode(t, m, env)
			names := fieldNames(mustTree(t, b).(*javaser.Object))
			if len(names) == 1 && names[0] == "moduleClass" {
				continue // a singleton
			}
			for _, name := range names {
				for _, wrong := range []javaser.Value{Env{}.odd(), &javaser.Array{Class: &javaser.ClassDesc{Name: "[Ljava.lang.Object;"}}} {
					tree := mustTree(t, b).(*javaser.Object)
					retype(tree, name, wrong)
					if got, err := Parse(tree); !errors.Is(err, ErrMalformed) || got != nil {
						t.Errorf("%s: %T with %s as %T: %v", build, m, name, wrong, err)
					}
				}
				tree := mustTree(t, b).(*javaser.Object)
				rename(tree, name)
				if got, err := Parse(tree); !errors.Is(err, ErrMalformed) || got != nil {
					t.Errorf("%s: %T without %s: %v", build, m, name, err)
				}
			}
		}
	}
}

// odd is an object that no field expects.
func (Env) odd() javaser.Value {
	return javaser.New(&javaser.ClassDesc{Name: "org.example.Odd", Flags: javaser.FlagSerializable})
}

func fieldNames(o *javaser.Object) []string {
	var out []string
	for _, d := range o.Data {
		for _, f := range d.Class.Fields {
			out = append(out, f.Name)
		}
	}
	return out
}

// edit gives the class data with a field a descriptor of its own and calls change.
func edit(o *javaser.Object, name string, change func(d *javaser.ClassData, i int)) {
	for i := range o.Data {
		for j, f := range o.Data[i].Class.Fields {
			if f.Name == name {
				c := *o.Data[i].Class
				c.Fields = append([]javaser.Field(nil), c.Fields...)
				o.Data[i].Class = &c
				change(&o.Data[i], j)
			}
		}
	}
}

func retype(o *javaser.Object, name string, v javaser.Value) {
	edit(o, name, func(d *javaser.ClassData, i int) {
		d.Class.Fields[i].Type = "Ljava/lang/Object;"
		d.Values[i] = v
	})
}

func rename(o *javaser.Object, name string) {
	edit(o, name, func(d *javaser.ClassData, i int) { d.Class.Fields[i].Name = "other" })
}

func TestUnknownMessagePassesThrough(t *testing.T) {
	t.Parallel()
	for _, env := range envs() {
		table := env.Classes
		tree := javaser.New(&javaser.ClassDesc{Name: deployed + "FromTheFuture", SUID: 5, Flags: javaser.FlagSerializable,
			Fields: []javaser.Field{{Name: "x", Type: "I"}}})
		b, err := javaser.Encode(tree)
		if err != nil {
			t.Fatal(err)
		}
		u, ok := mustDecode(t, b).(*Unknown)
		if !ok || u.ClassName() != deployed+"FromTheFuture" || !javaser.Equal(u.Tree, tree) {
			t.Errorf("read as %s", show(u))
		}
		if again := mustEncode(t, u, Env{Classes: table}); !bytes.Equal(again, b) {
			t.Error("written as other bytes")
		}
	}
	for _, v := range []javaser.Value{nil, "text"} {
		b, err := javaser.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := mustDecode(t, b).(*Unknown); !ok || u.Class != "" || u.Tree != v {
			t.Errorf("%v read as %v", v, u)
		}
	}
	if _, err := Decode([]byte("nonsense"), javaser.Limits{}); !errors.Is(err, javaser.ErrMalformed) {
		t.Errorf("nonsense: %v", err)
	}
}

func TestEncodeRefusesWhatNoPeerCouldRead(t *testing.T) {
	t.Parallel()
	var env Env
	for _, env = range envs() {
		break
	}
	wrong := map[string]Message{
		"no ref":             &Heartbeat{WorkerID: "w"},
		"state 7":            &ExecutorUpdated{State: 7},
		"state -1":           &DriverStateChanged{State: -1},
		"cores of 2^40":      &ExecutorAdded{Cores: 1 << 40},
		"exit status":        &ExecutorUpdated{ExitStatus: ptr(math.MinInt64)},
		"no application":     &LaunchExecutor{},
		"no driver":          &LaunchDriver{},
		"one profile twice":  &RequestExecutors{Totals: []ProfileTotal{{profile(1), 1}, {profile(1), 2}}},
		"template of no ref": &Heartbeat{Worker: Ref{Name: "Worker", Template: Env{}.odd().(*javaser.Object)}},
	}
	for name, m := range wrong {
		if b, err := Encode(m, env); err == nil || b != nil {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	if _, err := Encode(&Boolean{}, Env{}); err == nil {
		t.Error("encoded without classes")
	}
	if _, err := Encode(nil, env); err == nil {
		t.Error("encoded no message")
	}
	if out, err := Append([]byte("head"), wrong["no ref"], env); err == nil || string(out) != "head" {
		t.Errorf("append: %q, %v", out, err)
	}
}

func TestForeignExceptionsAreWrittenAsText(t *testing.T) {
	t.Parallel()
	for build, env := range envs() {
		for in, want := range map[Throwable]string{
			{Class: "org.apache.spark.SparkException", Message: "boom"}: "java.lang.RuntimeException: org.apache.spark.SparkException: boom",
			{Class: "java.io.IOException"}:                              "java.lang.RuntimeException: java.io.IOException",
			{Message: "boom"}:                                           "java.lang.RuntimeException: : boom",
			{Class: "java.lang.Exception", Message: "boom"}:             "java.lang.Exception: boom",
		} {
			got := mustDecode(t, mustEncode(t, &RPCFailure{Cause: in}, env)).(*RPCFailure).Cause
			if got.String() != want {
				t.Errorf("%s: %q, want %q", build, got, want)
			}
		}
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	if s := ExecutorDecommissioned.String() + DriverError.String() + ExecutorState(7).String() + DriverState(-1).String(); s != "DECOMMISSIONEDERRORExecutorState(7)DriverState(-1)" {
		t.Error(s)
	}
	finished := map[ExecutorState]bool{ExecutorKilled: true, ExecutorFailed: true, ExecutorLost: true, ExecutorExited: true}
	for s := ExecutorLaunching; s <= ExecutorDecommissioned; s++ {
		if s.Finished() != finished[s] {
			t.Errorf("%s finished: %v", s, s.Finished())
		}
	}
}

// A stream of some kilobytes can stand for billions of elements: a list names one object again and again, whose map
// names another again and again, and so on.
func TestSharedObjectsDoNotExplode(t *testing.T) {
	t.Parallel()
	const many = 2000
	for build, env := range envs() {
		b := newBuilder(env)
		addresses := make([]javaser.Value, many)
		for i := range addresses {
			addresses[i] = "0"
		}
		gpu := b.Object(classResourceInformation, scala.F{Name: "name", Value: "gpu"},
			scala.F{Name: "addresses", Value: b.Array(classStrings, addresses...)})
		pairs := make([]scala.Pair, many)
		for i := range pairs {
			pairs[i] = scala.Pair{Key: fmt.Sprint(i), Value: gpu}
		}
		response := b.Object(classDriverResponse, scala.F{Name: "driverId", Value: "d"}, scala.F{Name: "resources", Value: b.Map(pairs)})
		responses := make([]javaser.Value, many)
		for i := range responses {
			responses[i] = response
		}
		bomb := b.Object(deployed+"WorkerSchedulerStateResponse", scala.F{Name: "id", Value: "w"},
			scala.F{Name: "execResponses", Value: b.List()}, scala.F{Name: "driverResponses", Value: b.List(responses...)})
		if b.failure() != nil {
			t.Fatal(b.failure())
		}
		stream, err := javaser.Encode(bomb)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(stream, javaser.Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %d bytes that stand for %d addresses: %v", build, len(stream), many*many*many, err)
		}
	}
}
