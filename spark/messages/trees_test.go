package messages

import (
	"errors"
	"reflect"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

// What a master does: keep the description that a driver sent, as bytes, and have another master launch executors of it.
func TestStoredDescriptionIsSentAsItCame(t *testing.T) {
	t.Parallel()
	for _, r := range runs {
		env := release(t, r.release, r.scala)
		file := map[string]string{"3.5.7": "0012_LaunchExecutor.ser", "4.1.4": "0011_LaunchExecutor.ser"}[r.release]
		submitted := mustDecode(t, captured(t, r.release, "0009_RegisterApplication.ser")).(*RegisterApplication)
		stored, err := EncodeTree(submitted.App.Tree)
		if err != nil {
			t.Fatal(err)
		}
		app, err := DecodeApplicationDescription(stored, javaser.Limits{})
		if err != nil || !reflect.DeepEqual(withoutTrees(&LaunchExecutor{App: app}), withoutTrees(&LaunchExecutor{App: submitted.App})) {
			t.Errorf("%s: came back as %+v, %v", r.release, app, err)
		}
		spark := mustTree(t, captured(t, r.release, file))
		launch := &LaunchExecutor{MasterURL: "spark://127.0.0.1:27077", AppID: r.appID, App: app, Cores: 2, MemoryMB: 512}
		if got := mustTree(t, mustEncode(t, launch, env)); !javaser.Equal(got, spark) {
			t.Errorf("%s: we launch\n%s\nSpark's master launches\n%s", r.release, javaser.Format(got), javaser.Format(spark))
		}
		ref, err := EncodeTree(submitted.Driver.Template)
		if err != nil {
			t.Fatal(err)
		}
		driver, err := DecodeRef(ref, javaser.Limits{})
		if err != nil || driver.URL() != submitted.Driver.URL() || !javaser.Equal(driver.Template, submitted.Driver.Template) {
			t.Errorf("%s: the driver's ref came back as %+v, %v", r.release, driver, err)
		}
	}
}

func TestDescriptionsMadeHere(t *testing.T) {
	t.Parallel()
	for build, env := range envs() {
		b, err := EncodeApplicationDescription(fullApp(), env)
		if err != nil {
			t.Fatal(err)
		}
		app, err := DecodeApplicationDescription(b, javaser.Limits{})
		if err != nil || app.Tree == nil || !reflect.DeepEqual(withoutTrees(&LaunchExecutor{App: app}), Message(&LaunchExecutor{App: fullApp()})) {
			t.Errorf("%s: %+v, %v", build, app, err)
		}
		b, err = EncodeDriverDescription(fullDriver(), env)
		if err != nil {
			t.Fatal(err)
		}
		driver, err := DecodeDriverDescription(b, javaser.Limits{})
		if err != nil || driver.Tree == nil || !reflect.DeepEqual(withoutTrees(&LaunchDriver{Driver: driver}), Message(&LaunchDriver{Driver: fullDriver()})) {
			t.Errorf("%s: %+v, %v", build, driver, err)
		}
		if _, err := DecodeApplicationDescription(b, javaser.Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: a driver read as an application: %v", build, err)
		}
		if _, err := EncodeApplicationDescription(nil, env); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: encoded nothing: %v", build, err)
		}
	}
	if _, err := EncodeTree(nil); err == nil {
		t.Error("encoded no tree")
	}
	if _, err := EncodeDriverDescription(fullDriver(), Env{}); err == nil {
		t.Error("encoded without classes")
	}
	if d, err := DecodeDriverDescription([]byte{1}, javaser.Limits{}); !errors.Is(err, javaser.ErrTruncated) || d != nil {
		t.Errorf("one byte: %v", err)
	}
}

func TestProfileAmounts(t *testing.T) {
	t.Parallel()
	p := profile(1)
	if n, ok := p.Amount(ResourceMemoryOverhead); n != 384 || !ok {
		t.Error(n, ok)
	}
	if n, ok := p.Amount("tpu"); n != 0 || ok {
		t.Error(n, ok)
	}
}
