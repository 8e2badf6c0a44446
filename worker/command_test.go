package worker

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/config"
)

// The expected texts are those of /proc/<pid>/cmdline and environ of executors
// that Spark's own 3.5.7 and 4.1.4 Workers started for the same application.
func TestBuildCommand(t *testing.T) {
	t.Parallel()
	home := fakeHome(t, "spark-core_2.12-3.5.7.jar", "slf4j-api-2.0.7.jar")
	javaHome := fakeJava(t, "")
	s := ExecutorSpec{
		AppID: "app-20260102030405-0007", ExecID: 3, ProfileID: 1, Cores: 4, MemoryMiB: 512, SparkHome: home,
		Command: Command{
			MainClass: "org.apache.spark.executor.CoarseGrainedExecutorBackend",
			Arguments: []string{"--driver-url", "spark://CoarseGrainedScheduler@d:1", "--executor-id", "{{EXECUTOR_ID}}", "--hostname", "{{HOSTNAME}}",
				"--cores", "{{CORES}}", "--app-id", "{{APP_ID}}", "--worker-url", "{{WORKER_URL}}", "--resourceProfileId", "{{RESOURCE_PROFILE_ID}}",
				"x{{CORES}}"},
			Environment: map[string]string{"FOO": "bar", "SPARK_USER": "etl", "SPARK_HOME": "/elsewhere", "LD_LIBRARY_PATH": "/cmd/lib"},
			ClassPath:   []string{"/opt/x.jar", filepath.Dir(home), "/opt/x.jar"},
			LibraryPath: []string{"/opt/lib", "/opt/lib2"},
			JavaOpts:    []string{"-Dspark.driver.port=1", "-Dlog={{APP_ID}}-{{EXECUTOR_ID}}.log", "-Dy=a b", "-Dspark.authenticate.secret=s3", "-Dspark.authenticate=true"},
		},
	}
	cfg := CommandConfig{
		Identity: Identity{WorkerID: "worker-1", WorkerURL: "spark://Worker@w1:4000", Host: "w1", PublicHost: "w1.example", WebUIPort: 8081},
		Env: config.Env{"JAVA_HOME": javaHome, "FOO": "own", "OWN": "1", "SPARK_HOME": "/worker/home", "LD_LIBRARY_PATH": "/own/lib",
			"HADOOP_CONF_DIR": "/etc/hadoop"},
		LocalDirs: []string{"/tmp/a", "/tmp/b"}, ResourcesFile: "/w/r.json",
	}
	launch, err := BuildCommand(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	wantArgs := []string{
		javaHome + "/bin/java", "-cp",
		"/opt/x.jar:" + filepath.Dir(home) + "/:" + home + "/conf:" + home + "/jars/*:/etc/hadoop", "-Xmx512M",
		"-Dspark.driver.port=1", "-Dlog=app-20260102030405-0007-3.log", "-Dy=a b", "-Dspark.authenticate=true",
		"org.apache.spark.executor.CoarseGrainedExecutorBackend",
		"--driver-url", "spark://CoarseGrainedScheduler@d:1", "--executor-id", "3", "--hostname", "w1", "--cores", "4",
		"--app-id", "app-20260102030405-0007", "--worker-url", "spark://Worker@w1:4000", "--resourceProfileId", "1", "x{{CORES}}",
		"--resourcesFile", "/w/r.json",
	}
	if fixed := isDir("/etc/hadoop"); fixed {
		wantArgs[2] += "/"
	}
	if !slices.Equal(launch.Args, wantArgs) {
		t.Errorf("got  %q\nwant %q", launch.Args, wantArgs)
	}
	page := "http://w1.example:8081/logPage/?appId=app-20260102030405-0007&executorId=3&logType="
	wantEnv := []string{
		"FOO=bar", "HADOOP_CONF_DIR=/etc/hadoop", "JAVA_HOME=" + javaHome, "LD_LIBRARY_PATH=/opt/lib:/opt/lib2:/cmd/lib:/own/lib", "OWN=1",
		"SPARK_EXECUTOR_DIRS=/tmp/a:/tmp/b", "SPARK_HOME=" + home, "SPARK_LAUNCH_WITH_SCALA=0",
		"SPARK_LOG_URL_STDERR=" + page + "stderr", "SPARK_LOG_URL_STDOUT=" + page + "stdout", "SPARK_USER=etl", "_SPARK_AUTH_SECRET=s3",
	}
	if !slices.Equal(launch.Env, wantEnv) {
		t.Errorf("got  %q\nwant %q", launch.Env, wantEnv)
	}
}

func buildSimple(t *testing.T, s ExecutorSpec, cfg CommandConfig) Launch {
	t.Helper()
	if cfg.Env == nil {
		cfg.Env = config.Env{}
	}
	if cfg.Env.Get("JAVA_HOME") == "" {
		cfg.Env["JAVA_HOME"] = fakeJava(t, "")
	}
	launch, err := BuildCommand(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return launch
}

func TestClassPathOfSpark4NamesSlf4jFirst(t *testing.T) {
	t.Parallel()
	home := fakeHome(t, "spark-core_2.13-4.1.4.jar", "slf4j-api-2.0.17.jar")
	s := ExecutorSpec{AppID: "a", SparkHome: home, MemoryMiB: 1}
	launch := buildSimple(t, s, CommandConfig{Env: config.Env{"SPARK_CONF_DIR": "/etc/spark-conf"}})
	want := "/etc/spark-conf:" + home + "/jars/slf4j-api-2.0.17.jar:" + home + "/jars/*"
	if launch.Args[2] != want {
		t.Errorf("got %s, want %s", launch.Args[2], want)
	}
}

func TestJavaOptionsFileAndNodeSSL(t *testing.T) {
	t.Parallel()
	conf := t.TempDir()
	writeFile(t, filepath.Join(conf, "java-opts"), "-Da=1 '-Db=x y'\n-Dc=3\n", 0o644)
	s := ExecutorSpec{AppID: "a", SparkHome: fakeHome(t), MemoryMiB: 1, Command: Command{MainClass: "M",
		Environment: map[string]string{"SPARK_CONF_DIR": conf},
		JavaOpts:    []string{"-Dspark.ssl.useNodeLocalConf=true", "-Dspark.ssl.keyStore=/app", "-Dz=1"}}}
	launch := buildSimple(t, s, CommandConfig{NodeSSL: map[string]string{"spark.ssl.keyStore": "/node"}})
	if got := launch.Args[1:4]; !slices.Equal(got, []string{"-Da=1", "-Db=x y", "-Dc=3"}) {
		t.Errorf("java-opts: %q", got)
	}
	if got := launch.Args[7:]; !slices.Equal(got, []string{"-Dz=1", "-Dspark.ssl.keyStore=/node", "-Dspark.ssl.useNodeLocalConf=true", "M"}) {
		t.Errorf("ssl: %q", got)
	}
	writeFile(t, filepath.Join(conf, "java-opts"), "'-Da", 0o644)
	if _, err := BuildCommand(s, CommandConfig{Env: config.Env{"JAVA_HOME": fakeJava(t, "")}}); err == nil || !strings.Contains(err.Error(), "java-opts") {
		t.Errorf("open quote: %v", err)
	}
}

func TestWorkersOwnSecretWins(t *testing.T) {
	t.Parallel()
	s := ExecutorSpec{AppID: "a", SparkHome: fakeHome(t), MemoryMiB: 1, Command: Command{JavaOpts: []string{"-Dspark.authenticate.secret=app"}}}
	launch := buildSimple(t, s, CommandConfig{AuthSecret: "cluster"})
	if !slices.Contains(launch.Env, "_SPARK_AUTH_SECRET=cluster") || strings.Contains(strings.Join(launch.Args, " "), "secret") {
		t.Errorf("args %q env %q", launch.Args, launch.Env)
	}
	launch = buildSimple(t, ExecutorSpec{AppID: "a", SparkHome: s.SparkHome, MemoryMiB: 1}, CommandConfig{})
	if strings.Contains(strings.Join(launch.Env, " "), "_SPARK_AUTH_SECRET") {
		t.Error("a secret from nowhere")
	}
}

func TestLogURLBehindReverseProxy(t *testing.T) {
	t.Parallel()
	id := Identity{WorkerID: "worker-9", PublicHost: "h", WebUIPort: 1, ReverseProxy: true}
	key := ExecutorKey{"app-1", 2}
	if got := id.LogURL(key, "stdout"); got != "/proxy/worker-9/logPage/?appId=app-1&executorId=2&logType=stdout" {
		t.Error(got)
	}
	id.ReverseProxyURL = "https://front/spark/"
	if got := id.LogURL(key, "stderr"); got != "https://front/spark/proxy/worker-9/logPage/?appId=app-1&executorId=2&logType=stderr" {
		t.Error(got)
	}
}

func TestFindJava(t *testing.T) {
	t.Parallel()
	home := fakeJava(t, "")
	if got, err := FindJava(config.Env{"JAVA_HOME": home, "PATH": "/bin"}); err != nil || got != home+"/bin/java" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := FindJava(config.Env{"PATH": "/nowhere:relative:" + home + "/bin"}); err != nil || got != home+"/bin/java" {
		t.Errorf("%q %v", got, err)
	}
	if err := os.Chmod(home+"/bin/java", 0o644); err != nil {
		t.Fatal(err)
	}
	for _, env := range []config.Env{{"JAVA_HOME": home}, {"PATH": home + "/bin"}, {}} {
		if _, err := FindJava(env); err == nil || !strings.Contains(err.Error(), "JAVA_HOME") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", env, err)
		}
	}
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`(?i)secret|password`)
	got := redactArgs(secret, []string{"-Da.password=x", "-Durl=http://h?Secret=1", "-Dplain=1", "--password=x", "-Dpassword", "-Dm=a\nsecret"})
	want := []string{"-Da.password=" + redacted, "-Durl=" + redacted, "-Dplain=1", "--password=x", "-Dpassword", "-Dm=" + redacted}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := redactArgs(nil, []string{"-Da.password=x"}); got[0] != "-Da.password=x" {
		t.Errorf("without an expression: %q", got)
	}
}
