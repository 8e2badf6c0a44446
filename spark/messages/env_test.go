package messages

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/releases"
)

// envs are all builds that we have a class table for, by name, such as "3.5.9/2.12".
func envs() map[string]Env {
	out := map[string]Env{}
	for _, table := range releases.Tables() {
		out[table.Name()] = Env{Classes: table}
	}
	return out
}

// release is the Env of one Spark release.
func release(t testing.TB, version, scala string) Env {
	t.Helper()
	for _, table := range releases.Tables() {
		for _, r := range table.Releases() {
			if r.Version == version && table.Scala() == scala {
				return Env{Classes: table}
			}
		}
	}
	t.Fatalf("no table for Spark %s", version)
	return Env{}
}

func captured(t testing.TB, release, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "captures", release, file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustDecode(t testing.TB, b []byte) Message {
	t.Helper()
	m, err := Decode(b, javaser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustTree(t testing.TB, b []byte) javaser.Value {
	t.Helper()
	v, err := javaser.Decode(b, javaser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustEncode(t testing.TB, m Message, env Env) []byte {
	t.Helper()
	b, err := Encode(m, env)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withoutTrees copies a message without its Trees and Templates: what is left is what its typed fields say.
func withoutTrees(m Message) Message {
	out := reflect.New(reflect.TypeOf(m).Elem())
	out.Elem().Set(strip(reflect.ValueOf(m).Elem()))
	return out.Interface().(Message)
}

var objectType = reflect.TypeFor[*javaser.Object]()

func strip(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch {
	case v.Type() == objectType:
		out.SetZero()
	case v.Kind() == reflect.Pointer && !v.IsNil():
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(strip(v.Elem()))
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(strip(v.Index(i)))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(strip(v.Field(i)))
		}
	}
	return out
}

// show prints a message with the values behind its pointers.
func show(m Message) string {
	return fmt.Sprintf("%T %s", m, showValue(reflect.ValueOf(m).Elem()))
}

func showValue(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return "&" + showValue(v.Elem())
	case reflect.Struct:
		s := "{"
		for i := range v.NumField() {
			s += v.Type().Field(i).Name + ":" + showValue(v.Field(i)) + " "
		}
		return s + "}"
	}
	return fmt.Sprintf("%#v", v)
}

func ptr[T any](v T) *T { return &v }
