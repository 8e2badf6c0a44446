package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// What can be wrong with a fetch, beside fs.ErrNotExist, fs.ErrPermission, the network and the disk.
var (
	ErrURL       = errors.New("no URL that can be fetched")
	ErrScheme    = errors.New("there is no way to fetch from there")
	ErrNoFile    = errors.New("is no file")
	ErrTruncated = errors.New("the file was cut short")
	ErrTooLarge  = errors.New("the file is too large, or has no end")
	ErrChecksum  = errors.New("the file that came is not the one that the server has")
	ErrSilent    = errors.New("the server was silent")
	ErrProtocol  = errors.New("the server does not speak the protocol")
	ErrSettings  = errors.New("settings are missing or wrong")
)

// explained makes the error that the driver's user reads.
func explained(resource, dir string, err error) error {
	var inURL *url.Error // repeats the URL, with its query
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	if todo := advice(err, resource, dir); todo != "" {
		return fmt.Errorf("fetch %s: %w; %s", redacted(resource), err, todo)
	}
	return fmt.Errorf("fetch %s: %w", redacted(resource), err)
}

// local are resources on the worker's own disk.
var local = regexp.MustCompile(`^(?i:file:|local:)|^[^:]*$`)

// advice says what can be done about an error, "" where the error itself does.
func advice(err error, resource, dir string) string {
	var (
		noName  *net.DNSError
		noTLS   tls.RecordHeaderError
		badCert *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("make room on the disk that holds %s, or give the worker another folder (SPARK_WORKER_DIR)", filepath.Dir(dir))
	case errors.As(err, &noName):
		return "the host's name must be one that the workers can resolve"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: check host and port, and that the server runs"
	case errors.As(err, &badCert):
		return certificateAdvice(badCert)
	case errors.As(err, &noTLS), errors.Is(err, http.ErrSchemeMismatch):
		return "the server speaks no TLS there: use http: (for s3a: spark.hadoop.fs.s3a.connection.ssl.enabled=false), or another port"
	case errors.Is(err, ErrSilent):
		return "check host and port; " + fetchTimeout + " is how long it may be silent"
	case errors.Is(err, ErrTruncated), errors.Is(err, ErrChecksum):
		return "nothing of it was kept; submit the driver again, and look at the server if it comes again"
	case errors.Is(err, fs.ErrNotExist):
		if local.MatchString(resource) {
			return "in cluster mode a path must be there on every worker; else put the file where workers can get it (http:, hdfs:, s3a:)"
		}
		return "check the path"
	case errors.Is(err, fs.ErrPermission):
		return "check the credentials, and that they give leave to read it"
	case errors.Is(err, ErrNoFile):
		return "name the jar or file itself"
	case errors.Is(err, ErrURL):
		return "what is special in a path (a percent sign, #, ?) must be escaped in a URL"
	}
	return ""
}

func certificateAdvice(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &unknown):
		return "the worker does not trust who signed the server's certificate: add it to the system's certificates, or name a file of them in SSL_CERT_FILE"
	case errors.As(err, &host):
		return "use a name that stands in the server's certificate"
	}
	return "the server needs another certificate"
}

// redacted shows a URL without what may be secret: the password, and the values of a query, which may be a signature.
func redacted(resource string) string {
	u, err := parse(resource)
	if err != nil {
		if i := strings.LastIndexByte(resource, '@'); i >= 0 {
			if scheme, _, ok := strings.Cut(resource, "://"); ok {
				resource = scheme + "://xxxxx@" + resource[i+1:]
			}
		}
		resource, _, _ = strings.Cut(resource, "?")
		return fmt.Sprintf("%q", resource)
	}
	if u.Scheme == "" {
		return resource
	}
	if u.User != nil && strings.HasPrefix(u.Scheme, "s3") {
		u.User = url.User("xxxxx") // Hadoop once took keys here
	}
	if u.RawQuery != "" {
		q := u.Query()
		for k := range q {
			q[k] = []string{"xxxxx"}
		}
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}
