package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/urfave/cli/v2"
)

// asProperty are the flags of spark-submit that are another word for a property, as it hands them on itself.
var asProperty = []struct{ flag, property, usage string }{
	{"name", "spark.app.name", "`NAME` of the application"},
	{"driver-memory", "spark.driver.memory", "`MEMORY` of the driver, such as 2g (default: 1g)"},
	{"driver-cores", "spark.driver.cores", "`N` cores for the driver (default: 1)"},
	{"driver-java-options", "spark.driver.extraJavaOptions", "`OPTIONS` for the driver's JVM"},
	{"driver-class-path", "spark.driver.extraClassPath", "`PATH` entries in front of the driver's class path"},
	{"driver-library-path", "spark.driver.extraLibraryPath", "`PATH` entries for the driver's native libraries"},
	{"executor-memory", "spark.executor.memory", "`MEMORY` of an executor (default: 1g)"},
	{"executor-cores", "spark.executor.cores", "`N` cores for each executor"},
	{"total-executor-cores", "spark.cores.max", "`N` cores for all executors"},
	{"num-executors", "spark.executor.instances", "`N` executors to begin with, for dynamic allocation"},
	{"packages", "spark.jars.packages", "Maven `COORDINATES`, comma-separated"},
	{"exclude-packages", "spark.jars.excludes", "`GROUP:ARTIFACT` to leave out, comma-separated"},
	{"repositories", "spark.jars.repositories", "further Maven `REPOSITORIES`, comma-separated"},
}

// asFiles are flags that name files which are handed to the driver or its executors.
var asFiles = []struct{ flag, property, usage string }{
	{"jars", "spark.jars", "`JARS` for driver and executors, comma-separated"},
	{"files", "spark.files", "`FILES` for the executors' working directories, comma-separated"},
	{"archives", "spark.archives", "`ARCHIVES` to unpack for the executors, comma-separated"},
	{"py-files", "spark.submit.pyFiles", ".zip, .egg and .py `FILES` for PYTHONPATH, comma-separated"},
}

func submitCommand() *cli.Command {
	flags := []cli.Flag{&cli.StringFlag{Name: "class", Usage: "main `CLASS` of a jar"}}
	for _, f := range append(asProperty, asFiles...) {
		flags = append(flags, &cli.StringFlag{Name: f.flag, Usage: f.usage})
	}
	flags = append(flags,
		&cli.BoolFlag{Name: "supervise", Usage: "start the driver again when it fails or its worker is lost"},
		&cli.StringSliceFlag{Name: "conf", Aliases: []string{"c"}, Usage: "a property, `KEY=VALUE`; may be given often"},
		&cli.StringFlag{Name: "properties-file", Usage: "`FILE` of properties, as spark-defaults.conf; what the command line says is stronger"},
		&cli.StringSliceFlag{Name: "env", Usage: "a variable of the driver's environment, `NAME=VALUE`; may be given often"},
		&cli.StringFlag{Name: "spark-version", Usage: "Spark `VERSION` to run it with: 3.5 for any home of that release, 3.5.7 for exactly this one (default: the newest that a worker has)"},
		&cli.StringFlag{Name: "deploy-mode", Usage: "only cluster, which it always is", Value: "cluster"},
		&cli.StringFlag{Name: "idempotency-key", Usage: "submissions with the same `KEY` make one driver for a day (default: a new key)"},
		&cli.BoolFlag{Name: "wait", Usage: "wait until the driver is over, and exit with its result, as driver wait does"},
		waitTimeoutFlag(),
	)
	return &cli.Command{
		Name: "submit", Usage: "submit a driver, as spark-submit --deploy-mode cluster does", ArgsUsage: "APP.jar|APP.py|URL [ARGUMENT...]",
		Description: "What follows the program belongs to the program. The worker that runs it fetches it: a path is a path on every worker, a URL\n" +
			"(http, https, hdfs, s3a, file, local) is fetched by the worker. Python programs need no --class. Nothing of this machine's\n" +
			"environment or spark-defaults.conf goes along, unless --env or --properties-file says so.\n" +
			"All masters may be asked, and a failover may lie between: one driver comes of one call.",
		Flags: flags, Action: runSubmit,
	}
}

func runSubmit(c *cli.Context) error {
	return with(c, 1, -1, "a jar or a Python program", func(ctx context.Context, cl *client) error {
		req, err := submission(c)
		if err != nil {
			return err
		}
		if c.Bool("wait") {
			cl.learn(ctx)
		}
		reply, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.SubmitDriverReply, error) {
			return m.admin.SubmitDriver(ctx, req)
		})
		if err != nil {
			if exitCode(err) == exitUnavailable {
				return exit(exitUnavailable, "%s; it may have been submitted: repeat it with --idempotency-key %s", oneLine(err), req.GetIdempotencyKey())
			}
			return err
		}
		if c.Bool("wait") {
			return waitFor(c, ctx, cl, reply.GetDriverId(), true)
		}
		return show(c, &submittedJSON{Driver: reply.GetDriverId(), Key: req.GetIdempotencyKey()})
	})
}

type submittedJSON struct {
	Driver string `json:"driver"`
	Key    string `json:"idempotencyKey"`
}

// table is the id alone, for scripts that use it as it is.
func (s *submittedJSON) table(t *table) { t.line("%s", s.Driver) }

// submission makes the request of a command line.
func submission(c *cli.Context) (*clusterpb.SubmitDriverRequest, error) {
	if mode := c.String("deploy-mode"); mode != "cluster" {
		return nil, usage.Errorf(c, "--deploy-mode %s: clusterctl submits in cluster mode only; use spark-submit for client mode", mode)
	}
	properties, err := properties(c)
	if err != nil {
		return nil, err
	}
	env, err := pairs(c, "env")
	if err != nil {
		return nil, err
	}
	program := c.Args().First()
	resource, err := resolve(program)
	if err != nil {
		return nil, usage.Errorf(c, "%v", err)
	}
	script, class := isScript(resource), c.String("class")
	switch {
	case script && class != "":
		return nil, usage.Errorf(c, "--class %s: a Python or R program has no main class", class)
	case !script && class == "":
		return nil, usage.Errorf(c, "--class is needed: the main class of %s", program)
	case !script: // SparkSubmit adds the program's own jar for the executors
		properties["spark.jars"] = strings.Trim(properties["spark.jars"]+","+resource, ",")
	default:
		class = "org.apache.spark.deploy.SparkSubmit"
	}
	if properties["spark.app.name"] == "" {
		properties["spark.app.name"] = firstOf(c.String("class"), path.Base(resource))
	}
	properties["spark.submit.deployMode"] = "cluster"
	version := c.String("spark-version")
	if exactVersion.MatchString(version) {
		env[releases.HomeWish] = version
	}
	return &clusterpb.SubmitDriverRequest{
		AppResource: resource, MainClass: class, Args: c.Args().Tail(), Properties: properties, Environment: env,
		SparkVersion: version, IdempotencyKey: cmp.Or(c.String("idempotency-key"), "clusterctl-"+rand.Text()),
	}, nil
}

// exactVersion is a version that names one release, not a feature release.
var exactVersion = regexp.MustCompile(`^\d+\.\d+\.\d+`)

func isScript(resource string) bool {
	return strings.HasSuffix(resource, ".py") || strings.HasSuffix(resource, ".R") || strings.HasSuffix(resource, ".r")
}

// properties come from the file, over that from --conf, over that from flags of their own (SparkSubmitArguments).
func properties(c *cli.Context) (map[string]string, error) {
	out := map[string]string{}
	if file := c.String("properties-file"); file != "" {
		read, err := config.ReadPropertiesFile(file)
		if err != nil {
			return nil, usage.Errorf(c, "--properties-file: %v", err)
		}
		for k, v := range read {
			if strings.HasPrefix(k, "spark.") {
				out[k] = v
			}
		}
	}
	conf, err := pairs(c, "conf")
	if err != nil {
		return nil, err
	}
	for k, v := range conf {
		out[k] = v
	}
	for _, f := range asProperty {
		if c.IsSet(f.flag) {
			out[f.property] = c.String(f.flag)
		}
	}
	if c.Bool("supervise") {
		out["spark.driver.supervise"] = "true"
	}
	for _, f := range asFiles {
		list := out[f.property]
		if c.IsSet(f.flag) {
			list = c.String(f.flag)
		}
		if list == "" {
			continue
		}
		if out[f.property], err = resolveList(list); err != nil {
			return nil, usage.Errorf(c, "--%s: %v", f.flag, err)
		}
	}
	return out, nil
}

// pairs reads KEY=VALUE flags.
func pairs(c *cli.Context, name string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range c.StringSlice(name) {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return nil, usage.Errorf(c, "--%s %q: give NAME=VALUE", name, pair)
		}
		out[k] = v
	}
	return out, nil
}

// scheme begins a URL (RFC 3986); one letter is no scheme but a drive.
var scheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]+:`)

// resolve makes a path absolute and a URL (Utils.resolveURI); a URL stays.
func resolve(name string) (string, error) {
	if scheme.MatchString(name) {
		return name, nil
	}
	file, fragment, has := strings.Cut(name, "#")
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	if has {
		abs += "#" + fragment
	}
	return "file:" + abs, nil
}

func resolveList(list string) (string, error) {
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		r, err := resolve(item)
		if err != nil {
			return "", err
		}
		out = append(out, r)
	}
	return strings.Join(out, ","), nil
}
