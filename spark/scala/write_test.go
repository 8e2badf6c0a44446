package scala

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

func each(t *testing.T, test func(t *testing.T, d Dialect)) {
	t.Helper()
	for release, d := range dialects(t) {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

func TestWriteSimpleValues(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d Dialect) {
		w := NewWriter(d)
		v := w.Array("[Ljava.lang.Object;", w.Int(-5), w.Bool(true), w.None(), w.Some("x"), w.Option(nil), w.Option(w.Int(3)),
			w.EnumValue("org.apache.spark.deploy.ExecutorState$", 5), w.EnumValue("org.apache.spark.deploy.ExecutorState$", 0),
			w.Singleton("org.apache.spark.deploy.DeployMessages$MasterInStandby$"))
		if w.Err() != nil {
			t.Fatal(w.Err())
		}
		got := overTheWire(t, v).(*javaser.Array).Values
		if n, err := Int(got[0]); n != -5 || err != nil {
			t.Error(n, err)
		}
		if b, err := Bool(got[1]); !b || err != nil {
			t.Error(b, err)
		}
		for i, want := range map[int]string{2: "None", 3: "x", 4: "None", 5: "3"} {
			if s := option(got[i]); s != want {
				t.Errorf("Option %d is %s, want %s", i, s, want)
			}
		}
		for i, want := range map[int]int32{6: 5, 7: 0} {
			if id, err := EnumID(got[i]); id != want || err != nil {
				t.Errorf("enumeration value %d, %v, want %d", id, err, want)
			}
		}
		if name := ClassOf(got[8]); name != "org.apache.spark.deploy.DeployMessages$MasterInStandby$" {
			t.Errorf("singleton of %s", name)
		}
		if got[2] != got[4] {
			t.Error("None was written twice")
		}
	})
}

func option(v javaser.Value) string {
	inner, some, err := Option(v)
	switch {
	case err != nil:
		return err.Error()
	case !some:
		return "None"
	}
	if n, err := Int(inner); err == nil {
		return fmt.Sprint(n)
	}
	return fmt.Sprint(inner)
}

func TestWriteCollectionsOfEverySize(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d Dialect) {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 40, 300} {
			w := NewWriter(d)
			var pairs []Pair
			for i := range n {
				pairs = append(pairs, Pair{fmt.Sprint("k", i), fmt.Sprint("v", i)})
			}
			list, m := w.Strings(numbered("e", n)), w.Map(pairs)
			if w.Err() != nil {
				t.Fatal(w.Err())
			}
			if got, err := Strings(overTheWire(t, list)); err != nil || !slices.Equal(got, numbered("e", n)) {
				t.Errorf("List of %d: %q, %v", n, got, err)
			}
			got, err := Map(overTheWire(t, m))
			if err != nil || !slices.Equal(got, pairs) {
				t.Errorf("Map of %d: %v, %v", n, got, err)
			}
		}
	})
}

// What we write must be what a JVM writes, where there is only one way to write it.
func TestWritesAsTheJVMDoes(t *testing.T) {
	t.Parallel()
	same := map[string]func(w *Writer) javaser.Value{
		"3.5.7/list0": func(w *Writer) javaser.Value { return w.List() },
		"3.5.7/list5": func(w *Writer) javaser.Value { return w.List("e4", "e3", "e2", "e1", "e0") },
		"3.5.7/map0":  func(w *Writer) javaser.Value { return w.Map(nil) },
		"3.5.7/map3":  func(w *Writer) javaser.Value { return w.Map([]Pair{{"k0", "v0"}, {"k1", "v1"}, {"k2", "v2"}}) },
		"4.1.4/list0": func(w *Writer) javaser.Value { return w.List() },
		"4.1.4/map0":  func(w *Writer) javaser.Value { return w.Map(nil) },
		"4.1.4/map1":  func(w *Writer) javaser.Value { return w.Map([]Pair{{"k0", "v0"}}) },
		"4.1.4/map3":  func(w *Writer) javaser.Value { return w.Map([]Pair{{"k0", "v0"}, {"k1", "v1"}, {"k2", "v2"}}) },
	}
	all := dialects(t)
	for name, build := range same {
		w := NewWriter(all[name[:5]])
		v := build(w)
		if w.Err() != nil {
			t.Fatal(w.Err())
		}
		if want := decode(t, collection(t, name)); !javaser.Equal(v, want) {
			t.Errorf("%s:\n%s\nthe JVM wrote\n%s", name, javaser.Format(v), javaser.Format(want))
		}
	}
	// Larger maps are hashed: the order is the JVM's, the form must be the same.
	for _, name := range []string{"3.5.7/map5", "4.1.4/map5"} {
		want := decode(t, collection(t, name))
		pairs, err := Map(want)
		if err != nil {
			t.Fatal(err)
		}
		w := NewWriter(all[name[:5]])
		if v := w.Map(pairs); w.Err() != nil || !javaser.Equal(v, want) {
			t.Errorf("%s: %v\n%s\nthe JVM wrote\n%s", name, w.Err(), javaser.Format(v), javaser.Format(want))
		}
	}
}

func TestWriteThrowable(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d Dialect) {
		w := NewWriter(d)
		v := w.Object("org.apache.spark.rpc.netty.RpcFailure", F{"e", w.Throwable("java.lang.IllegalStateException", "no leader")})
		if w.Err() != nil {
			t.Fatal(w.Err())
		}
		e, _ := overTheWire(t, v).(*javaser.Object).Get("e")
		class, message, err := Throwable(e)
		if class != "java.lang.IllegalStateException" || message != "no leader" || err != nil {
			t.Errorf("%s: %s, %v", class, message, err)
		}
		if cause, _ := e.(*javaser.Object).Get("cause"); cause != e {
			t.Error("the cause is set")
		}
	})
}

type broken struct{ scala string }

var errBroken = errors.New("no table")

func (b broken) Scala() string                            { return b.scala }
func (b broken) Class(string) (*javaser.ClassDesc, error) { return nil, errBroken }

func TestWriterKeepsTheFirstError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scala string
		want  error
	}{{"2.11", ErrDialect}, {"", ErrDialect}, {"2.12", errBroken}, {"2.13", errBroken}} {
		w := NewWriter(broken{c.scala})
		w.List("x")
		w.Map([]Pair{{"k", w.Int(1)}, {"l", w.Some("x")}})
		w.Map(make([]Pair, 9))
		w.EnumValue("E$", 1)
		w.Throwable("T", "m")
		w.Constant("E", "A")
		w.Array("[I")
		w.Option(nil)
		if !errors.Is(w.Err(), c.want) {
			t.Errorf("Scala %q: %v", c.scala, w.Err())
		}
	}
	for _, d := range dialects(t) {
		w := NewWriter(d)
		w.Object(classInteger, F{"value", "text"})
		if !errors.Is(w.Err(), javaser.ErrInvalidTree) {
			t.Errorf("an Integer of text: %v", w.Err())
		}
		w = NewWriter(d)
		w.Object(classInteger, F{"nonsense", int32(1)})
		if !errors.Is(w.Err(), javaser.ErrNoField) {
			t.Errorf("an unknown field: %v", w.Err())
		}
	}
}
