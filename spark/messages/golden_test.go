package messages

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

// run is what differs between the two captured runs: the same small job on Spark 3.5.7 and 4.1.4.
type run struct {
	release, scala string
	workerID       string
	appID          string
	driverPort     int
	environment    map[string]string
	javaOpts       int
	firstOpt       string
	lastOpt        string
	endMessage     string
}

var runs = []run{{
	release: "3.5.7", scala: "2.12",
	workerID: "worker-20261121091442-127.0.0.1-27090", appID: "app-20261121091450-0000", driverPort: 33029,
	environment: map[string]string{"SPARK_USER": "root", "OMP_NUM_THREADS": "1", "SPARK_EXECUTOR_MEMORY": "512m"},
	javaOpts:    20, firstOpt: "-Dspark.driver.port=33029", lastOpt: "-Djdk.reflect.useDirectMethodHandle=false",
}, {
	release: "4.1.4", scala: "2.13",
	workerID: "worker-20261121091539-127.0.0.1-27090", appID: "app-20261121091552-0000", driverPort: 44171,
	environment: map[string]string{"SPARK_USER": "root", "OMP_NUM_THREADS": "1"},
	javaOpts:    25, firstOpt: "-Dspark.ui.port=28040", lastOpt: "--enable-native-access=ALL-UNNAMED",
	endMessage: "Runner thread for executor app-20261121091552-0000/0 interrupted",
}}

func (r run) app() *ApplicationDescription {
	return &ApplicationDescription{
		Name: "PiSpike", User: "root", AppUIURL: "http://localhost:28040",
		Command: Command{
			MainClass: "org.apache.spark.executor.CoarseGrainedExecutorBackend",
			Arguments: []string{"--driver-url", "spark://CoarseGrainedScheduler@" + Address{"localhost", r.driverPort}.String(),
				"--executor-id", "{{EXECUTOR_ID}}", "--hostname", "{{HOSTNAME}}", "--cores", "{{CORES}}", "--app-id", "{{APP_ID}}",
				"--worker-url", "{{WORKER_URL}}", "--resourceProfileId", "{{RESOURCE_PROFILE_ID}}"},
			Environment: r.environment,
		},
		DefaultProfile: ResourceProfile{
			Executor: map[string]ExecutorResourceRequest{ResourceMemory: {Amount: 512}, ResourceOffHeap: {}},
			Task:     map[string]float64{"cpus": 1},
		},
	}
}

// messages are the captured payloads by name. JavaOpts are checked apart, by their ends.
func (r run) messages() map[string]Message {
	worker := Ref{Name: "Worker", Host: "127.0.0.1", Port: 27090}
	master := Ref{Name: "Master", Host: "127.0.0.1", Port: 27077}
	dialled := Address{"127.0.0.1", 27078}
	return map[string]Message{
		"CheckExistence": &CheckExistence{Name: "Master"},
		"response":       &Boolean{Value: true},
		"RegisterWorker": &RegisterWorker{ID: r.workerID, Host: "127.0.0.1", Port: 27090, Worker: worker, Cores: 2, MemoryMB: 2048,
			WebUIURL: "http://127.0.0.1:28081", MasterAddress: dialled},
		"RegisteredWorker":  &RegisteredWorker{Master: master, WebUIURL: "http://localhost:28080", MasterAddress: dialled},
		"WorkerLatestState": &WorkerLatestState{ID: r.workerID},
		"Heartbeat":         &Heartbeat{WorkerID: r.workerID, Worker: worker},
		"RegisterApplication": &RegisterApplication{App: r.app(),
			Driver: Ref{Name: "AppClient", Host: "localhost", Port: r.driverPort}},
		"RegisteredApplication": &RegisteredApplication{AppID: r.appID, Master: master},
		"ExecutorAdded":         &ExecutorAdded{WorkerID: r.workerID, HostPort: "127.0.0.1:27090", Cores: 2, MemoryMB: 512},
		"LaunchExecutor": &LaunchExecutor{MasterURL: "spark://127.0.0.1:27077", AppID: r.appID, App: r.app(), Cores: 2,
			MemoryMB: 512},
		"ExecutorStateChanged":  &ExecutorStateChanged{AppID: r.appID, State: ExecutorRunning},
		"ExecutorUpdated":       &ExecutorUpdated{State: ExecutorRunning},
		"UnregisterApplication": &UnregisterApplication{AppID: r.appID},
		"KillExecutor":          &KillExecutor{MasterURL: "spark://127.0.0.1:27077", AppID: r.appID},
		"ApplicationFinished":   &ApplicationFinished{AppID: r.appID},
		"last ExecutorStateChanged": &ExecutorStateChanged{AppID: r.appID, State: ExecutorKilled, Message: r.endMessage,
			ExitStatus: ptr(143)},
	}
}

// eachCapture calls check with every captured payload and what it must say.
func eachCapture(t *testing.T, check func(t *testing.T, r run, file string, want Message)) {
	t.Helper()
	for _, r := range runs {
		files, err := filepath.Glob(filepath.Join("testdata", "captures", r.release, "*.ser"))
		if err != nil || len(files) < 20 {
			t.Fatalf("%d captures of %s: %v", len(files), r.release, err)
		}
		all := r.messages()
		reports := 0
		for _, f := range files {
			_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(f), ".ser"), "_")
			if name == "ExecutorStateChanged" {
				if reports++; reports == 2 {
					name = "last " + name
				}
			}
			want := all[name]
			if want == nil {
				t.Fatalf("%s: nothing known of it", f)
			}
			check(t, r, filepath.Base(f), want)
		}
	}
}

func TestDecodesEveryCapture(t *testing.T) {
	t.Parallel()
	eachCapture(t, func(t *testing.T, r run, file string, want Message) {
		got := withoutTrees(mustDecode(t, captured(t, r.release, file)))
		if app := appOf(got); app != nil {
			opts := app.Command.JavaOpts
			if len(opts) != r.javaOpts || opts[0] != r.firstOpt || opts[len(opts)-1] != r.lastOpt {
				t.Errorf("%s %s: Java options %q", r.release, file, opts)
			}
			app.Command.JavaOpts = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s:\ngot  %s\nwant %s", r.release, file, show(got), show(want))
		}
		if got.ClassName() != want.ClassName() {
			t.Errorf("%s %s: %s", r.release, file, got.ClassName())
		}
	})
}

func appOf(m Message) *ApplicationDescription {
	switch m := m.(type) {
	case *RegisterApplication:
		return m.App
	case *LaunchExecutor:
		return m.App
	}
	return nil
}

// Spark's own messages, written by us for the same release, are what Spark wrote: the same tree, unless there are
// several ways to write a value.
func TestEncodesEveryCaptureAsSparkDid(t *testing.T) {
	t.Parallel()
	eachCapture(t, func(t *testing.T, r run, file string, _ Message) {
		env := release(t, r.release, r.scala)
		b := captured(t, r.release, file)
		original, m := mustTree(t, b), mustDecode(t, b)
		written := mustTree(t, mustEncode(t, m, env))
		if !severalForms(m, r) && !javaser.Equal(written, original) {
			t.Errorf("%s %s: written as\n%s\nSpark wrote\n%s", r.release, file, javaser.Format(written), javaser.Format(original))
		}
		again, err := Parse(written)
		if err != nil || !reflect.DeepEqual(withoutTrees(again), withoutTrees(m)) {
			t.Errorf("%s %s: %v, came back as\n%s\ninstead of\n%s", r.release, file, err, show(again), show(m))
		}
		// Without any tree of the peer's: everything from the class table.
		bare := withoutTrees(m)
		written = mustTree(t, mustEncode(t, bare, env))
		if !severalForms(m, r) && appOf(m) == nil && !javaser.Equal(written, original) {
			t.Errorf("%s %s: written from the table as\n%s\nSpark wrote\n%s", r.release, file, javaser.Format(written), javaser.Format(original))
		}
		if again, err = Parse(written); err != nil || !reflect.DeepEqual(withoutTrees(again), bare) {
			t.Errorf("%s %s: %v, came back from the table as\n%s\ninstead of\n%s", r.release, file, err, show(again), show(bare))
		}
	})
}

// severalForms says that a message holds something that we write in another way than Spark: a Vector as a List, or, for
// Scala 2.12, an enumeration without its content.
func severalForms(m Message, r run) bool {
	switch m.(type) {
	case *WorkerLatestState:
		return true
	case *ExecutorStateChanged, *ExecutorUpdated:
		return r.scala == "2.12"
	}
	return false
}

func TestSUIDsTellTheBuild(t *testing.T) {
	t.Parallel()
	for _, r := range runs {
		classes := release(t, r.release, r.scala).Classes
		eachCapture(t, func(t *testing.T, captureRun run, file string, _ Message) {
			if captureRun.release != r.release {
				return
			}
			for name, suid := range SUIDs(mustTree(t, captured(t, r.release, file))) {
				c, err := classes.Class(name)
				if err != nil {
					continue // not every class that can be seen is one we write
				}
				if c.SUID != suid {
					t.Errorf("%s %s: %s has the serialVersionUID %d, the table says %d", r.release, file, name, suid, c.SUID)
				}
			}
		})
		suids := SUIDs(mustTree(t, captured(t, r.release, "0003_RegisterWorker.ser")))
		for _, name := range []string{deployed + "RegisterWorker", "org.apache.spark.rpc.RpcEndpointRef", "java.lang.Enum", classTimeUnit} {
			if _, ok := suids[name]; !ok {
				t.Errorf("%s: %s was not seen", r.release, name)
			}
		}
	}
}
