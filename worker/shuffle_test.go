package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/worker/internal/pidpipe"
)

// answering is a listener that answers the first frame of each connection with the given bytes.
func answering(t *testing.T, answer []byte) (port int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, len(localDirsRequest())))
			_, _ = conn.Write(answer)
			conn.Close()
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

func shuffleFrame(kind byte, body string) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(frameHead+len(body)))
	b = append(b, kind)
	b = binary.BigEndian.AppendUint64(b, probeID)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

func TestAskShuffleService(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if got, err := askShuffleService(t.Context(), "127.0.0.1", closed.Addr().(*net.TCPAddr).Port); got != nobody || err != nil {
		t.Errorf("nobody: %v, %v", got, err)
	}
	for name, c := range map[string]struct {
		answer []byte
		want   portHolder
	}{
		"a shuffle service":      {shuffleFrame(frameResponse, "\x0b\x00\x00\x00\x00"), aShuffleService},
		"one that authenticates": {shuffleFrame(frameFailure, "java.lang.RuntimeException: Expected SaslMessage, received something else"), aShuffleService},
		"another Spark server":   {shuffleFrame(frameFailure, "java.io.StreamCorruptedException: invalid stream header"), somethingElse},
		"a web server":           {[]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), somethingElse},
		"a liar":                 {binary.BigEndian.AppendUint64(nil, 1<<62), somethingElse},
		"silence":                {nil, somethingElse},
	} {
		if got, _ := askShuffleService(t.Context(), "127.0.0.1", answering(t, c.answer)); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestShuffleCommand(t *testing.T) {
	t.Parallel()
	home, dir, conf := fakeHome(t, "spark-core_2.13-4.1.4.jar"), t.TempDir(), t.TempDir()
	cfg := ShuffleConfig{
		Settings: config.Shuffle{Enabled: true, Port: 7555}, Home: home, AuthSecret: "s3cret",
		Properties: map[string]string{"spark.network.timeout": "77s", "spark.odd": "a = b\\c ü\n", "spark.authenticate": "true", "spark.authenticate.secret": "s3cret", "spark.shuffle.service.port": "1"},
		Env: config.Env{
			"JAVA_HOME": fakeJava(t, ""), "SPARK_CONF_DIR": conf, "SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_CLASSPATH": "/extra.jar",
			"SPARK_DAEMON_JAVA_OPTS": "-Dspark.x=1 -XX:+UseSerialGC", "SPARK_SHUFFLE_OPTS": "-Dspark.network.timeout=88s -Dother=2",
		},
	}
	launch, err := shuffleCommand(cfg, dir)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(launch.Args, " ")
	for _, want := range []string{"-cp /extra.jar:" + conf + "/:", " -Xmx256M ", " -XX:+UseSerialGC -Dother=2 " + shuffleClass} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in %s", want, line)
		}
	}
	if strings.Contains(line, "s3cret") || strings.Contains(line, "-Dspark.") {
		t.Errorf("a setting is on the command line: %s", line)
	}
	if !slices.Contains(launch.Env, "_SPARK_AUTH_SECRET=s3cret") || !slices.Contains(launch.Env, "SPARK_CONF_DIR="+dir) {
		t.Errorf("environment: %q", launch.Env)
	}
	path := filepath.Join(dir, "spark-defaults.conf")
	got, err := config.ReadPropertiesFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"spark.network.timeout": "88s", "spark.odd": "a = b\\c ü\n", "spark.authenticate": "true", "spark.shuffle.service.enabled": "true",
		"spark.shuffle.service.port": "7555", "spark.local.dir": dir,
	}
	for key, value := range want {
		if got[key] != strings.TrimSuffix(value, "\n") && got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("settings: %q", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestShuffleCommandRefusals(t *testing.T) {
	t.Parallel()
	for variable, value := range map[string]string{"SPARK_SHUFFLE_OPTS": "-Xmx1g", "SPARK_DAEMON_JAVA_OPTS": `"open`, "SPARK_DAEMON_MEMORY": "lots"} {
		cfg := ShuffleConfig{Home: fakeHome(t), Env: config.Env{"JAVA_HOME": fakeJava(t, ""), variable: value}}
		if _, err := shuffleCommand(cfg, t.TempDir()); err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s=%s: %v", variable, value, err)
		}
	}
}

// fakeShuffle is a ShuffleConfig whose java is a script; what it is told to do stands in the script.
func fakeShuffle(t *testing.T, port int, script string) ShuffleConfig {
	t.Helper()
	return ShuffleConfig{
		Settings: config.Shuffle{Enabled: true, Port: port}, Home: fakeHome(t), Host: "127.0.0.1", Dir: t.TempDir(), Spawner: newSpawner(t), Logger: quiet(),
		Env: config.Env{"PATH": os.Getenv("PATH"), "JAVA_HOME": fakeJava(t, script)},
	}
}

// listens is a script that answers as a shuffle service on the port of its settings, and announces its pid.
const listens = `exec perl -MIO::Socket::INET -e '$| = 1;
open(C, "<", "$ENV{SPARK_CONF_DIR}/spark-defaults.conf"); my ($port) = join("", <C>) =~ /service.port=(\d+)/;
my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 5, ReuseAddr => 1) or exit 9;
print "listening\n"; open(P, ">>", $ENV{PIDS}); print P "$$\n"; close P;
while (my $c = $l->accept) { sysread($c, my $b, 30); syswrite($c, pack("Q>CQ>N", 22, 4, 1, 1) . chr(11)); close $c }'`

func freeTCPPort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func TestShuffleServiceIsRestartedAndStopped(t *testing.T) {
	t.Parallel()
	pids, next := pidpipe.Open(t, patience)
	cfg := fakeShuffle(t, freeTCPPort(t), listens)
	logs := t.TempDir()
	cfg.Env["PIDS"], cfg.Env["SPARK_LOG_DIR"], cfg.Env["SPARK_IDENT_STRING"] = pids, logs, "me"
	s, err := StartShuffleService(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	first := next()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := next()
	s.Close()
	gone(t, first)
	gone(t, second)
	if got := readFile(t, filepath.Join(logs, "spark-me-"+shuffleClass+"-1-"+hostname()+".out")); strings.Count(got, "listening") != 2 {
		t.Errorf("log: %q", got)
	}
}

func TestShuffleServiceThatCannotStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		port int
		want string
	}{
		"its port is taken": {answering(t, []byte("SSH-2.0\r\n....................")), "no shuffle service"},
		"it ends":           {freeTCPPort(t), "exit code 3"},
	} {
		_, err := StartShuffleService(t.Context(), fakeShuffle(t, c.port, "exit 3"))
		if !errors.Is(err, ErrShuffleService) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnotherShuffleServiceIsUsed(t *testing.T) {
	t.Parallel()
	cfg := fakeShuffle(t, answering(t, shuffleFrame(frameResponse, "\x0b\x00\x00\x00\x00")), "echo started > "+filepath.Join(t.TempDir(), "x")+"; exit 3")
	s, err := StartShuffleService(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if entries, _ := os.ReadDir(cfg.Dir); len(entries) != 0 {
		t.Errorf("one was started: %v", entries)
	}
}

func TestShuffleServiceStartIsCancelled(t *testing.T) {
	t.Parallel()
	pids, next := pidpipe.Open(t, patience)
	cfg := fakeShuffle(t, freeTCPPort(t), "echo $$ > $PIDS; exec sleep 1000")
	cfg.Env["PIDS"] = pids
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := StartShuffleService(ctx, cfg); done <- err }()
	pid := next()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	gone(t, pid)
}

func homesOf(versions ...string) *Homes {
	h := &Homes{}
	for _, v := range versions {
		h.list = append(h.list, releases.Home{Dir: "/spark-" + v, Version: v})
	}
	return h
}

func TestShuffleHome(t *testing.T) {
	t.Parallel()
	if h, err := homesOf("3.5.9", "4.1.4", "4.0.12").shuffleHome(""); err != nil || h != "/spark-4.1.4" {
		t.Errorf("%s, %v", h, err)
	}
	if _, err := homesOf("4.1.4").shuffleHome("/no/such"); !errors.Is(err, ErrBadHome) {
		t.Errorf("%v", err)
	}
}

func TestBlockFilesOfEndedExecutors(t *testing.T) {
	t.Parallel()
	const files = `d=$SPARK_EXECUTOR_DIRS/blockmgr-$$; mkdir -p $d/0a; for f in shuffle_1_0_0.data shuffle_1_0_0.index temp_shuffle_x rdd_3_0 broadcast_1; do echo x > $d/0a/$f; done
for a; do last=$a; done; [ "$last" = 0 ] && exit 1; exec sleep 1000`
	f := newFixture(t, files, func(c *ExecutorsConfig) { c.Blocks = BlockCleanup{Clean: true, KeepRDD: true} })
	left := func() string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(f.local, "spark-*", "executor-*", "blockmgr-*", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(`\S*/`).ReplaceAllString(strings.Join(found, " "), "")
	}
	f.Start(spec(t, 0))
	f.expect(t, Running)
	f.expect(t, Exited)
	f.wait(t)
	if got := left(); got != "rdd_3_0 shuffle_1_0_0.data shuffle_1_0_0.index" {
		t.Errorf("left: %s", got)
	}
}
