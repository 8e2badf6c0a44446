package submission

import (
	"reflect"
	"slices"
	"testing"

	"github.com/firesteel/firesteel/spark/messages"
)

func describe(t *testing.T, r Request) *messages.DriverDescription {
	t.Helper()
	d, err := r.Describe(Context{Masters: "spark://a:7077,b:7077", Environment: func(name string) (string, bool) { return "from " + name, name == "HERE" }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	d := describe(t, Request{
		AppResource: "http://h/a.jar", MainClass: "org.acme.Main", Args: []string{"1", "two words"},
		Environment: map[string]string{"SPARK_LOCAL_IP": "1.2.3.4", "SPARK_LOCAL_HOSTNAME": "x", "A": "{{HERE}}", "B": "{{NOT_HERE}}", "C": "x{{HERE}}"},
		Properties: map[string]string{
			"spark.app.name": "etl", "spark.master": "spark://a:6066", "spark.driver.supervise": "TRUE", "spark.driver.cores": "2", "spark.driver.memory": "3g",
			"spark.driver.extraClassPath": "/x:/y", "spark.driver.extraLibraryPath": "/z", "spark.driver.defaultJavaOptions": "-Da=1", "spark.driver.extraJavaOptions": `-Db="2 3" -Dc=4`,
			"spark.driver.resource.gpu.amount": "2", "spark.driver.resource.gpu.vendor": "v", "spark.z": "{{HERE}}",
		},
	})
	if d.JarURL != "http://h/a.jar" || d.Cores != 2 || d.MemoryMB != 3072 || !d.Supervise {
		t.Errorf("%+v", d)
	}
	c := d.Command
	if c.MainClass != driverWrapper || !slices.Equal(c.Arguments, []string{workerURL, userJar, "org.acme.Main", "1", "two words"}) {
		t.Errorf("%s %q", c.MainClass, c.Arguments)
	}
	if want := map[string]string{"A": "from HERE", "B": "{{NOT_HERE}}", "C": "x{{HERE}}"}; !reflect.DeepEqual(c.Environment, want) {
		t.Errorf("environment %v", c.Environment)
	}
	if !slices.Equal(c.ClassPath, []string{"/x", "/y"}) || !slices.Equal(c.LibraryPath, []string{"/z"}) {
		t.Errorf("%q %q", c.ClassPath, c.LibraryPath)
	}
	for _, want := range []string{"-Dspark.master=spark://a:7077,b:7077", "-Dspark.z=from HERE", "-Dspark.app.name=etl"} {
		if !slices.Contains(c.JavaOpts, want) {
			t.Errorf("no %s in %q", want, c.JavaOpts)
		}
	}
	if got := c.JavaOpts[len(c.JavaOpts)-3:]; !slices.Equal(got, []string{"-Da=1", "-Db=2 3", "-Dc=4"}) {
		t.Errorf("own options %q", got)
	}
	if want := []messages.ResourceRequirement{{Name: "gpu", Amount: 2, NumParts: 1}}; !reflect.DeepEqual(d.ResourceReqs, want) {
		t.Errorf("%+v", d.ResourceReqs)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	if d := describe(t, Request{MainClass: "M"}); d.Cores != 1 || d.MemoryMB != 1024 || d.Supervise || d.ResourceReqs != nil || len(d.Command.ClassPath) > 0 {
		t.Errorf("%+v", d)
	}
}

// A Python program runs against this cluster; in the original it runs in local[*].
func TestScriptsAreGivenTheMasters(t *testing.T) {
	t.Parallel()
	d := describe(t, Request{AppResource: "file:/x/etl.py", MainClass: "ignored", Args: []string{"a"}, Properties: map[string]string{"spark.app.name": "etl", "spark.submit.deployMode": "cluster"}})
	want := []string{workerURL, userJar, sparkSubmit, "--conf", "spark.app.name=etl", "--conf", "spark.master=spark://a:7077,b:7077", userJar, "a"}
	if !slices.Equal(d.Command.Arguments, want) {
		t.Errorf("%q", d.Command.Arguments)
	}
	d = describe(t, Request{MainClass: sparkSubmit, Args: []string{"/x/etl.py", "a"}, Properties: map[string]string{"spark.app.name": "etl"}})
	want = []string{workerURL, userJar, sparkSubmit, "--conf", "spark.app.name=etl", "--conf", "spark.master=spark://a:7077,b:7077", "/x/etl.py", "a"}
	if !slices.Equal(d.Command.Arguments, want) {
		t.Errorf("%q", d.Command.Arguments)
	}
	for _, args := range [][]string{{"/x/etl.py", "a"}, {"--master", "local", "/x/etl.py"}} {
		d = describe(t, Request{AppResource: "file:/x/etl.py", MainClass: sparkSubmit, Args: args})
		if got := d.Command.Arguments[len(d.Command.Arguments)-len(args)-1:]; got[0] == userJar || !slices.Equal(got[1:], args) {
			t.Errorf("%q", got)
		}
	}
	for s, want := range map[string]bool{"a.py": true, "a.R": true, "a.jar": false, "": false, "http://h/a.py#x": true, "a.pyc": false} {
		if IsScript(s) != want {
			t.Errorf("IsScript(%q) is %v", s, !want)
		}
	}
}

func TestSplitCommand(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"": nil, "  ": nil, "a b": {"a", "b"}, `a"b c"d`: {"ab cd"}, `'x "y" z'`: {`x "y" z`}, `"a\"b\\c"`: {`a"b\c`}, `""`: {""}, `a\b`: {`a\b`}, `"open`: {"open"}, "é ü": {"é", "ü"},
	} {
		if got := SplitCommand(line); !slices.Equal(got, want) {
			t.Errorf("SplitCommand(%q) = %q, want %q", line, got, want)
		}
	}
}
