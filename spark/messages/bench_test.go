package messages

import (
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

func BenchmarkMessages(b *testing.B) {
	env := release(b, "4.1.4", "2.13")
	for _, m := range []Message{
		&Heartbeat{WorkerID: "worker-1", Worker: Ref{Name: "Worker", Host: "w1.example", Port: 7001}},
		&ExecutorStateChanged{AppID: "app-1", ExecID: 3, State: ExecutorExited, Message: "Command exited with code 52", ExitStatus: ptr(52)},
		&LaunchExecutor{MasterURL: "spark://m1.example:7077", AppID: "app-1", App: fullApp()},
	} {
		name := strings.TrimPrefix(m.ClassName(), deployed)
		stream := mustEncode(b, m, env)
		decoded := mustDecode(b, stream)
		b.Run("Decode "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Decode(stream, javaser.Limits{})
			}
		})
		b.Run("Encode "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Encode(decoded, env)
			}
		})
	}
}
