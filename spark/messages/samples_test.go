package messages

import (
	"slices"
	"strings"
)

// samples are one message of every type with every field set, and of some types another with the optional ones unset.
func samples() []Message {
	worker := Ref{Name: "Worker", Host: "w1.example", Port: 7001}
	master := Ref{Name: "Master", Host: "[2001:db8::1]", Port: 7077}
	gpus := Resources{"gpu": {"0", "1"}, "fpga": {"f0"}}
	executor := ExecutorDescription{AppID: "app-1", ExecID: 3, RPID: 1, Cores: 4, MemoryMB: 2048, State: ExecutorDecommissioned}
	out := []Message{
		&CheckExistence{Name: "Worker"},
		&Boolean{Value: true},
		&Boolean{},
		&RPCFailure{Cause: Throwable{Class: "java.lang.IllegalStateException", Message: "not the leader"}},
		&RegisterWorker{ID: "worker-1", Host: "w1.example", Port: 7001, Worker: worker, Cores: 8, MemoryMB: 16384,
			WebUIURL: "http://w1.example:8081", MasterAddress: Address{"m1.example", 7077}, Resources: gpus},
		&RegisteredWorker{Master: master, WebUIURL: "http://m1.example:8080", MasterAddress: Address{"m1.example", 7077}, Duplicate: true},
		&RegisteredWorker{Master: master},
		&RegisterWorkerFailed{Reason: "Duplicate worker ID"},
		&MasterInStandby{},
		&ReconnectWorker{MasterURL: "spark://m1.example:7077"},
		&Heartbeat{WorkerID: "worker-1", Worker: worker},
		&DecommissionWorker{},
		&WorkerDecommissioning{ID: "worker-1", Worker: worker},
		&DecommissionWorkers{IDs: []string{"worker-1", "worker-2"}},
		&DecommissionWorkersOnHosts{Hosts: []string{"w1.example", "w2.example"}},
		&Integer{Value: 2},
		&MasterChanged{Master: master, WebUIURL: "http://m2.example:8080"},
		&WorkerLatestState{ID: "worker-1", Executors: []ExecutorDescription{executor, {AppID: "app-2"}}, DriverIDs: []string{"driver-1", "driver-2"}},
		&WorkerSchedulerStateResponse{ID: "worker-1", Executors: []WorkerExecutorState{{executor, gpus}, {Executor: executor}},
			Drivers: []WorkerDriverState{{"driver-1", gpus}, {DriverID: "driver-2"}}},
		&WorkerSchedulerStateResponse{ID: "worker-1"},
		&KillExecutor{MasterURL: "spark://m1.example:7077", AppID: "app-1", ExecID: 3},
		&ExecutorStateChanged{AppID: "app-1", ExecID: 3, State: ExecutorExited, Message: "Command exited with code 52", ExitStatus: ptr(52)},
		&ExecutorStateChanged{AppID: "app-1", ExecID: 3, State: ExecutorRunning},
		&ApplicationFinished{AppID: "app-1"},
		&KillDriver{DriverID: "driver-1"},
		&DriverStateChanged{DriverID: "driver-1", State: DriverFailed,
			Exception: &Throwable{Class: "java.lang.RuntimeException", Message: "exit code 1"}},
		&DriverStateChanged{DriverID: "driver-1", State: DriverFinished},
		&RegisteredApplication{AppID: "app-1", Master: master},
		&ExecutorAdded{ID: 3, WorkerID: "worker-1", HostPort: "w1.example:7001", Cores: 4, MemoryMB: 2048},
		&ExecutorUpdated{ID: 3, State: ExecutorLost, Message: "worker lost", ExitStatus: ptr(-1), WorkerHost: "w1.example"},
		&ExecutorUpdated{ID: 3, State: ExecutorLaunching},
		&WorkerRemoved{ID: "worker-1", Host: "w1.example", Reason: "no heartbeat"},
		&ApplicationRemoved{Reason: "KILLED"},
		&UnregisterApplication{AppID: "app-1"},
		&MasterChangeAcknowledged{AppID: "app-1"},
		&KillExecutors{AppID: "app-1", ExecutorIDs: []string{"0", "7", "12"}},
		&RequestExecutors{AppID: "app-1", Totals: []ProfileTotal{{profile(0), 5}, {profile(1), 0}, {profile(2), 70000}}},
		&RequestExecutors{AppID: "app-1", Totals: []ProfileTotal{{profile(0), 1}, {profile(1), 2}, {profile(2), 3}, {profile(3), 4},
			{profile(4), 5}, {profile(5), 6}}},
		&SubmitDriverResponse{Master: master, Success: true, DriverID: "driver-1", Message: "Driver successfully submitted as driver-1"},
		&SubmitDriverResponse{Master: master, Message: "no leader"},
		&RequestDriverStatus{DriverID: "driver-1"},
		&DriverStatusResponse{Found: true, State: ptr(DriverError), WorkerID: "worker-1", WorkerHostPort: "w1.example:7001",
			Exception: &Throwable{Class: "java.lang.Exception", Message: "jar not found"}},
		&DriverStatusResponse{},
		&RequestKillDriver{DriverID: "driver-1"},
		&KillDriverResponse{Master: master, DriverID: "driver-1", Success: true, Message: "Kill request submitted"},
		&RequestKillAllDrivers{},
		&KillAllDriversResponse{Master: master, Success: true, Message: "Kill request for all drivers submitted"},
		&RequestClearCompletedDriversAndApps{},
		&RequestReadyz{},
		&BoundPortsRequest{},
		&BoundPortsResponse{RPCPort: 7077, WebUIPort: 8080, RESTPort: ptr(6066)},
		&BoundPortsResponse{RPCPort: 7077, WebUIPort: 8080},
	}
	for _, app := range []*ApplicationDescription{fullApp(), {Name: "bare", Command: Command{MainClass: "Main"}}} {
		out = append(out, &RegisterApplication{App: app, Driver: Ref{Name: "AppClient", Host: "d.example", Port: 4040}},
			&LaunchExecutor{MasterURL: "spark://m1.example:7077", AppID: "app-1", ExecID: 3, RPID: 1, App: app, Cores: 4,
				MemoryMB: 2048, Resources: gpus})
	}
	for _, driver := range []*DriverDescription{fullDriver(), {Command: Command{MainClass: "Main"}}} {
		out = append(out, &RequestSubmitDriver{Driver: driver}, &LaunchDriver{DriverID: "driver-1", Driver: driver, Resources: gpus})
	}
	return out
}

// samplesIn are those whose class the release has.
func samplesIn(env Env) []Message {
	return slices.DeleteFunc(samples(), func(m Message) bool {
		if !strings.HasPrefix(m.ClassName(), deploy) {
			return false
		}
		_, err := env.Classes.Class(m.ClassName())
		return err != nil && slices.Contains(sinceSpark4, m.ClassName())
	})
}

// sinceSpark4 are the messages that Spark 3 has not.
var sinceSpark4 = []string{
	deployed + "RequestKillAllDrivers$", deployed + "KillAllDriversResponse", deployed + "RequestClearCompletedDriversAndApps$", deployed + "RequestReadyz$",
}

func profile(id int) ResourceProfile {
	return ResourceProfile{
		ID: id,
		Executor: map[string]ExecutorResourceRequest{ResourceCores: {Amount: 4}, ResourceMemory: {Amount: 1 << 33}, ResourceOffHeap: {},
			ResourceMemoryOverhead: {Amount: 384}, ResourcePySparkMemory: {Amount: 512},
			"gpu": {Amount: 2, DiscoveryScript: "/opt/gpus.sh", Vendor: "nvidia"}},
		Task: map[string]float64{"cpus": 2, "gpu": 0.5},
	}
}

func fullCommand() Command {
	return Command{
		MainClass:   "org.example.Main",
		Arguments:   []string{"{{WORKER_URL}}", "", "gr\u00fc\u00df \U0001F600"},
		Environment: map[string]string{"A": "1", "B": "2", "C": "3", "D": "4", "E": "5", "F": "6"},
		ClassPath:   []string{"/opt/a.jar"},
		LibraryPath: []string{"/opt/lib"},
		JavaOpts:    []string{"-Xss4m", "-Dx=y"},
	}
}

func fullApp() *ApplicationDescription {
	return &ApplicationDescription{
		Name: "app", User: "ada", MaxCores: ptr(12), Command: fullCommand(), AppUIURL: "http://d.example:4040",
		DefaultProfile: profile(0), EventLogDir: "hdfs://n/logs", EventLogCodec: "zstd", InitialExecutorLimit: ptr(0),
	}
}

func fullDriver() *DriverDescription {
	return &DriverDescription{JarURL: "file:/opt/app.jar", MemoryMB: 1024, Cores: 2, Supervise: true, Command: fullCommand(),
		ResourceReqs: []ResourceRequirement{{"gpu", 1, 1}, {"fpga", 2, 4}}}
}
