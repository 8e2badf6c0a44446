package worker

import (
	"fmt"
	"net/url"
	"strings"
)

// Identity is how this worker presents itself to executors and browsers.
type Identity struct {
	WorkerID   string
	WorkerURL  string // spark://Worker@host:port, the endpoint executors watch
	Host       string // advertised; becomes {{HOSTNAME}}
	PublicHost string // in log links
	WebUIPort  int    // as bound, never 0
	// WebUIScheme is "http://" or "https://"; empty means "http://".
	WebUIScheme     string
	ReverseProxy    bool   // spark.ui.reverseProxy: log links go by the master
	ReverseProxyURL string // spark.ui.reverseProxyUrl, no slash at its end
}

// WorkerURL makes the URL of a worker's RPC endpoint.
func WorkerURL(host string, port int) string {
	return fmt.Sprintf("spark://Worker@%s:%d", host, port)
}

func (id Identity) scheme() string {
	if id.WebUIScheme == "" {
		return "http://"
	}
	return id.WebUIScheme
}

// WebUIURL is the address of the worker's pages.
func (id Identity) WebUIURL() string {
	return fmt.Sprintf("%s%s:%d", id.scheme(), id.PublicHost, id.WebUIPort)
}

// LogURL is the address of an executor's log page, as Spark's ExecutorRunner
// makes it; logType is stdout or stderr.
func (id Identity) LogURL(key ExecutorKey, logType string) string {
	return fmt.Sprintf("%s/logPage/?appId=%s&executorId=%d&logType=%s", id.logBase(), url.QueryEscape(key.AppID), key.ExecID, logType)
}

func (id Identity) logBase() string {
	if id.ReverseProxy {
		return strings.TrimRight(id.ReverseProxyURL, "/") + "/proxy/" + id.WorkerID
	}
	return id.WebUIURL()
}
