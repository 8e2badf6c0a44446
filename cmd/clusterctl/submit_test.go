package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
)

// requestOf is what a command line of driver submit asks for.
func requestOf(t *testing.T, args ...string) (req *clusterpb.SubmitDriverRequest, err error) {
	t.Helper()
	app := newApp()
	submit := app.Command("driver").Subcommands[0]
	submit.Action = func(c *cli.Context) (err error) { req, err = submission(c); return err }
	all := append([]string{"clusterctl", "driver", "submit"}, args...)
	return req, app.Run(flagsFirst(app, all))
}

func TestSubmissions(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "spark.conf")
	if err := os.WriteFile(conf, []byte("spark.a file\nspark.b=file\nspark.driver.memory 1g\nother.key x\nspark.jars /lib/c.jar\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args       string
		resource   string
		class      string
		rest       string
		properties string // sorted, without spark.submit.deployMode
	}{
		{
			"--class org.acme.Etl /x/etl.jar 1 --two -3", "file:/x/etl.jar", "org.acme.Etl", "1 --two -3",
			"spark.app.name=org.acme.Etl spark.jars=file:/x/etl.jar",
		},
		{
			"--class C --name n --driver-memory 2g --driver-cores 2 --supervise --executor-memory 3g --executor-cores 4 --total-executor-cores 8 -c spark.x=y=z --conf spark.y= hdfs://nn/e.jar",
			"hdfs://nn/e.jar", "C", "",
			"spark.app.name=n spark.cores.max=8 spark.driver.cores=2 spark.driver.memory=2g spark.driver.supervise=true spark.executor.cores=4 spark.executor.memory=3g spark.jars=hdfs://nn/e.jar spark.x=y=z spark.y=",
		},
		{
			"--properties-file " + conf + " --conf spark.b=conf --driver-memory 4g --class C local:/e.jar", "local:/e.jar", "C", "",
			"spark.a=file spark.app.name=C spark.b=conf spark.driver.memory=4g spark.jars=file:/lib/c.jar,local:/e.jar",
		},
		{
			"--jars a.jar,s3a://b/c.jar --files f.txt#g --py-files p.zip --archives q.tgz --packages g:a:1 job.py x", "file:" + here + "/job.py", "org.apache.spark.deploy.SparkSubmit", "x",
			"spark.app.name=job.py spark.archives=file:" + here + "/q.tgz spark.files=file:" + here + "/f.txt#g spark.jars=file:" + here + "/a.jar,s3a://b/c.jar spark.jars.packages=g:a:1 spark.submit.pyFiles=file:" + here + "/p.zip",
		},
	} {
		r, err := requestOf(t, strings.Fields(c.args)...)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		var properties []string
		for _, k := range slices.Sorted(maps.Keys(r.GetProperties())) {
			if k != "spark.submit.deployMode" {
				properties = append(properties, k+"="+r.GetProperties()[k])
			}
		}
		if got := strings.Join(properties, " "); got != c.properties || r.GetAppResource() != c.resource || r.GetMainClass() != c.class || strings.Join(r.GetArgs(), " ") != c.rest {
			t.Errorf("%s\nis %s %s %q with %s\nwant %s", c.args, r.GetAppResource(), r.GetMainClass(), r.GetArgs(), got, c.properties)
		}
		if r.GetProperties()["spark.submit.deployMode"] != "cluster" || r.GetIdempotencyKey() == "" {
			t.Errorf("%s: %v", c.args, r)
		}
	}
}

// An exact version is a wish that only that home meets, a feature release is not; every call has a key of its own.
func TestSubmissionsVersionAndKey(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for version, wish := range map[string]string{"3.5": "", "3.5.7": "3.5.7", "4.2.0-SNAPSHOT": "4.2.0-SNAPSHOT", "": ""} {
		r, err := requestOf(t, "--spark-version", version, "--env", "A=b=c", "job.py")
		if err != nil || r.GetSparkVersion() != version || r.GetEnvironment()["FIRESTEEL_SPARK_VERSION"] != wish || r.GetEnvironment()["A"] != "b=c" {
			t.Errorf("%s: %v, %v", version, r, err)
		}
		keys[r.GetIdempotencyKey()] = true
	}
	if len(keys) != 4 {
		t.Errorf("keys %v", keys)
	}
	if r, err := requestOf(t, "--idempotency-key", "mine", "job.py"); err != nil || r.GetIdempotencyKey() != "mine" {
		t.Errorf("%v, %v", r, err)
	}
}
