package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os/user"
	"strings"

	"github.com/colinmarc/hdfs/v2"
	"github.com/colinmarc/hdfs/v2/hadoopconf"
)

const namenodePort = "8020"

// openHDFS reads by HDFS's own protocol; the blocks' checksums are checked by the library, which goes on with another
// replica where one fails.
func openHDFS(_ context.Context, r *request) (src source, err error) {
	defer recovered(&err)
	conf, err := loadHadoop(r.settings, r.cfg.Env)
	if err != nil {
		return source{}, err
	}
	data := &dataLines{lines: r.lines}
	options, err := hdfsOptions(conf, r, data)
	if err != nil {
		return source{}, err
	}
	client, err := hdfs.NewClient(options)
	if err != nil {
		return source{}, hdfsError(err, r.lines)
	}
	file, err := client.Open(r.url.Path)
	if err == nil && file.Stat().IsDir() {
		err = fmt.Errorf("%s %w, but a folder", r.url.Path, ErrNoFile)
	}
	if err != nil {
		r.lines.end() // a call under way would hold Close up
		client.Close()
		return source{}, hdfsError(err, r.lines)
	}
	return source{body: &hdfsFile{file: file, client: client, data: data}, size: file.Stat().Size()}, nil
}

func hdfsOptions(conf hadoop, r *request, data *dataLines) (hdfs.ClientOptions, error) {
	known := hadoopconf.HadoopConf{}
	for _, key := range []string{
		"dfs.client.use.datanode.hostname", "hadoop.security.authentication", "dfs.namenode.kerberos.principal",
		"dfs.data.transfer.protection", "dfs.encrypt.data.transfer",
	} {
		known[key] = conf.get(key)
	}
	options := hdfs.ClientOptionsFromConf(known)
	if options.KerberosClient != nil {
		return options, fmt.Errorf("%w: this HDFS asks for Kerberos (hadoop.security.authentication), which the worker does not speak; put the file on another server, such as http: or s3a:", ErrSettings)
	}
	var err error
	if options.Addresses, err = conf.namenodes(r.url); err != nil {
		return options, err
	}
	if options.User, err = conf.user(); err != nil {
		return options, err
	}
	options.NamenodeDialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := r.lines.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &namenodeLine{Conn: conn}, nil
	}
	options.DatanodeDialFunc = data.dial
	return options, nil
}

// namenodes are the addresses behind a URL: its own, those of the name service that it names, or of fs.defaultFS where
// it names none.
func (h hadoop) namenodes(u *url.URL) ([]string, error) {
	if u.Host == "" {
		def, err := url.Parse(h.get("fs.defaultFS", "fs.default.name"))
		if err != nil || def.Scheme != "hdfs" || def.Host == "" {
			return nil, fmt.Errorf("%w: the URL names no NameNode, and fs.defaultFS is no hdfs: address; write hdfs://NAMENODE:%s/..., or give the worker HADOOP_CONF_DIR", ErrSettings, namenodePort)
		}
		u = def
	}
	service := u.Hostname()
	nodes := h.get("dfs.ha.namenodes." + service)
	if u.Port() != "" || nodes == "" {
		return []string{withPort(u.Host)}, nil
	}
	var addresses []string
	for node := range strings.SplitSeq(nodes, ",") {
		key := "dfs.namenode.rpc-address." + service + "." + strings.TrimSpace(node)
		address := h.get(key)
		if address == "" {
			return nil, fmt.Errorf("%w: the name service %q has a NameNode %q, but %s is not set", ErrSettings, service, strings.TrimSpace(node), key)
		}
		addresses = append(addresses, withPort(address))
	}
	return addresses, nil
}

func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), namenodePort)
}

// user is who the NameNode takes us for (UserGroupInformation, without Kerberos).
func (h hadoop) user() (string, error) {
	if name := h.env.Get("HADOOP_USER_NAME"); name != "" {
		return name, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("%w: set HADOOP_USER_NAME, the worker's user has no name: %w", ErrSettings, err)
	}
	return u.Username, nil
}

// hdfsFile is an open file with the client that it belongs to.
type hdfsFile struct {
	file   *hdfs.FileReader
	client *hdfs.Client
	data   *dataLines
}

// checkedRead is how much is read at once: less than the 512 bytes that a checksum is of (dfs.bytes-per-checksum), more
// than half of them. With more the library gives away bytes that do not fit their checksum, and reads on behind them.
// With less, a block's last bytes take another connection.
const checkedRead = 511

func (f *hdfsFile) Read(b []byte) (n int, err error) {
	defer recovered(&err)
	n, err = f.file.Read(b[:min(len(b), checkedRead)])
	if n > 0 {
		f.data.moved()
	}
	if err != nil && err != io.EOF {
		err = hdfsError(err, f.data.lines)
	}
	return n, err
}

func (f *hdfsFile) Close() error {
	f.data.lines.end() // a renewal of leases under way would hold the client up; and not every DataNode's line is closed
	return errors.Join(f.file.Close(), ignoreClosed(f.client.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// recovered makes an error of a panic: the library indexes and allocates by numbers that a server gives.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w of HDFS: %v", ErrProtocol, r)
	}
}

// hdfsError says what the library's errors leave out.
func hdfsError(err error, l *lines) error {
	var remote hdfs.Error
	var inPath *fs.PathError
	switch {
	case errors.As(err, &remote):
		text, _, _ := strings.Cut(remote.Message(), "\n")
		err = fmt.Errorf("the NameNode answers %q (%s)", text, remote.Exception())
		if strings.HasSuffix(remote.Exception(), "AccessControlException") {
			return fmt.Errorf("%w: %w", err, fs.ErrPermission)
		}
		return err
	case errors.As(err, &inPath) && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no %s: %w", inPath.Path, fs.ErrNotExist)
	case strings.HasPrefix(err.Error(), "no available") && l.lastFailure() != nil: // namenodes, datanodes: it keeps the text only
		text, _, _ := strings.Cut(err.Error(), ":")
		return fmt.Errorf("%s: %w", text, l.lastFailure())
	case strings.HasPrefix(err.Error(), "invalid checksum"):
		return fmt.Errorf("%w: a block does not fit its checksum", ErrChecksum)
	}
	return err
}
