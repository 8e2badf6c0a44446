package contract

import (
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Over sends exchanges to a server at host:port. A path goes out as it is written, be it with two slashes.
func Over(client *http.Client, hostPort string) func(Exchange) (Answer, error) {
	return func(x Exchange) (Answer, error) {
		path, query, _ := strings.Cut(x.Path, "?")
		plain, err := url.PathUnescape(path)
		if err != nil {
			return Answer{}, err
		}
		req := &http.Request{
			Method: x.Method, URL: &url.URL{Scheme: "http", Host: hostPort, Path: plain, RawPath: path, RawQuery: query}, Host: hostPort,
			Header: http.Header{}, Body: io.NopCloser(strings.NewReader(x.Body)), ContentLength: int64(len(x.Body)),
		}
		resp, err := client.Do(req)
		if err != nil {
			return Answer{}, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return Answer{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: body}, err
	}
}
