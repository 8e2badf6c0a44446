package fetch

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/config"
)

// same tells whether a file is the one that was recorded.
func same(t *testing.T, text string) {
	t.Helper()
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(text))); len(text) != 6000 || got != string(recorded(t, "sha256")) {
		t.Errorf("another file: %d bytes, %s", len(text), got)
	}
}

func TestHDFS(t *testing.T) {
	t.Parallel()
	h := startFakeHDFS(t)
	f := h.fetcher(Config{Env: config.Env{"HADOOP_USER_NAME": "ada"}})
	name, text := fetched(t, f, "hdfs://"+h.namenode+"/jars/small.jar", nil)
	same(t, text)
	if name != "small.jar" || !slices.Equal(h.users, []string{"ada"}) {
		t.Errorf("%s, users %q", name, h.users)
	}
}

func TestHDFSNames(t *testing.T) {
	t.Parallel()
	h := startFakeHDFS(t)
	conf, none := t.TempDir(), t.TempDir()
	write(t, filepath.Join(conf, "core-site.xml"), "<configuration><property><name>fs.defaultFS</name><value>hdfs://${ns}</value></property><property><name>ns</name><value>jars</value></property></configuration>")
	write(t, filepath.Join(conf, "hdfs-site.xml"), `<configuration>
		<property><name>dfs.nameservices</name><value>jars</value></property>
		<property><name>dfs.ha.namenodes.jars</name><value>a, b</value></property>
		<property><name>dfs.namenode.rpc-address.jars.a</name><value>127.0.0.1:1</value></property>
		<property><name>dfs.namenode.rpc-address.jars.b</name><value>`+h.namenode+`</value></property></configuration>`)
	for by, c := range map[string]struct {
		env        config.Env
		resource   string
		properties map[string]string
	}{
		"no authority":      {config.Env{"HADOOP_CONF_DIR": conf}, "hdfs:///jars/small.jar", nil},
		"one slash":         {config.Env{"SPARK_CONF_DIR": none, "HADOOP_CONF_DIR": conf}, "hdfs:/jars/small.jar", nil},
		"name service":      {config.Env{"SPARK_CONF_DIR": conf, "HADOOP_CONF_DIR": none}, "hdfs://jars/jars/small.jar", nil},
		"driver's property": {nil, "hdfs:///jars/small.jar", map[string]string{"spark.hadoop.fs.defaultFS": "hdfs://" + h.namenode}},
	} {
		t.Log(by)
		_, text := fetched(t, h.fetcher(Config{Env: c.env}), c.resource, c.properties)
		same(t, text)
	}
	f := New(Config{Env: config.Env{"HADOOP_CONF_DIR": conf}})
	refused(t, New(Config{}), "hdfs:///x.jar", nil, "fs.defaultFS", "hdfs://NAMENODE:8020", "HADOOP_CONF_DIR")
	refused(t, f, "hdfs://jars/x.jar", map[string]string{"spark.hadoop.dfs.ha.namenodes.jars": "a,c"}, "dfs.namenode.rpc-address.jars.c is not set")
	refused(t, f, "hdfs://jars/x.jar", map[string]string{"spark.hadoop.hadoop.security.authentication": "kerberos"}, "Kerberos", "http: or s3a:")
	refused(t, f, "hdfs://127.0.0.1:1/x.jar", nil, "no available namenodes", "refused", "nothing listens there")
}

func TestHDFSRefuses(t *testing.T) {
	t.Parallel()
	h := startFakeHDFS(t)
	at := "hdfs://" + h.namenode + "/jars/small.jar"
	for method, err := range map[string]error{"getFileInfo": fs.ErrPermission, "getBlockLocations": fs.ErrPermission} {
		h.refuse = func(m string) (string, string) {
			if m != method {
				return "", ""
			}
			return "org.apache.hadoop.security.AccessControlException", "Permission denied: user=ada\n\tat org.apache"
		}
		if got := refused(t, h.fetcher(Config{}), at, nil, "ermission denied", "check the credentials"); !errors.Is(got, err) {
			t.Error(got)
		}
	}
	h.refuse = func(string) (string, string) {
		return "org.apache.hadoop.ipc.RetriableException", "Name node is in safe mode"
	}
	refused(t, h.fetcher(Config{}), at, nil, "Name node is in safe mode", "RetriableException")
	h.refuse = func(string) (string, string) { return "", "" }
	h.answers["getFileInfo"] = []byte{0} // an empty answer: no such file
	if err := refused(t, h.fetcher(Config{}), at, nil, "there is no /jars/small.jar"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	web := answers(t, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	if err := refused(t, New(Config{}), "hdfs://"+web+"/x.jar", nil, `begins with "HTTP"`, "dfs.namenode.rpc-address"); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
	silent, _ := endless(t, "")
	if err := refused(t, New(Config{}), "hdfs://"+silent+"/x.jar", short, "silent for 1s"); !errors.Is(err, ErrSilent) {
		t.Error(err)
	}
}

func TestHDFSBlocks(t *testing.T) {
	t.Parallel()
	first, second := recorded(t, "block0"), recorded(t, "block1")
	rotten := bytes.Clone(second)
	rotten[len(rotten)-100] ^= 1
	for words, c := range map[string]struct {
		block func(n int) ([]byte, bool)
		err   error
	}{
		"does not fit its checksum":         {func(n int) ([]byte, bool) { return [][]byte{first, rotten}[min(n, 1)], false }, ErrChecksum},
		"cut short":                         {func(n int) ([]byte, bool) { return first[:len(first)-1000], false }, ErrTruncated},
		"end the connection within a block": {func(n int) ([]byte, bool) { return [][]byte{first, second[:len(second)-1500]}[min(n, 1)], false }, io.ErrUnexpectedEOF},
		"the server was silent for 1s":      {func(n int) ([]byte, bool) { return [][]byte{first, second[:500]}[min(n, 1)], n > 0 }, ErrSilent},
		"the protocol of a DataNode":        {func(int) ([]byte, bool) { return bytes.Repeat([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0x0F}, 1000), false }, ErrProtocol},
	} {
		h := startFakeHDFS(t)
		h.block = c.block
		if err := refused(t, h.fetcher(Config{}), "hdfs://"+h.namenode+"/jars/small.jar", short, words); c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%v is no %v", err, c.err)
		}
	}
}

// A line that breaks once is dialled again.
func TestHDFSLineThatBreaks(t *testing.T) {
	t.Parallel()
	h := startFakeHDFS(t)
	first, second := recorded(t, "block0"), recorded(t, "block1")
	h.block = func(n int) ([]byte, bool) {
		return [][]byte{first[:1500], first, second[:1200], second[:1700], second}[n], false
	}
	_, text := fetched(t, h.fetcher(Config{}), "hdfs://"+h.namenode+"/jars/small.jar", nil)
	same(t, text)
}

func TestHDFSFetchIsCancelled(t *testing.T) {
	t.Parallel()
	h := startFakeHDFS(t)
	h.block = func(int) ([]byte, bool) { return recorded(t, "block0")[:2000], true }
	cancelled(t, h.fetcher(Config{}), "hdfs://"+h.namenode+"/jars/small.jar", nil, h.asked)
	silent, asked := endless(t, "")
	cancelled(t, New(Config{}), "hdfs://"+silent+"/x.jar", nil, asked)
}

// The library would make a buffer of whatever length a NameNode gives.
func TestNamenodeLine(t *testing.T) {
	t.Parallel()
	read := func(sent string) (string, error) {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = theirs.Write([]byte(sent))
			theirs.Close()
		}()
		defer ours.Close()
		b, err := io.ReadAll(&namenodeLine{Conn: ours})
		return string(b), err
	}
	good := "\x00\x00\x00\x05hello\x00\x00\x00\x00\x00\x00\x00\x01x\x00\x00"
	if got, err := read(good); got != good || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, err := read("\x00\x00\x00\x01xHTTP/1.1"); !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "HTTP") {
		t.Error(err)
	}
}
