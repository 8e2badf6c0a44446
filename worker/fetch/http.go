package fetch

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
)

func openHTTP(ctx context.Context, r *request) (source, error) {
	if r.url.Hostname() == "" {
		return source{}, fmt.Errorf("%w: it names no host", ErrURL)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), nil)
	if err != nil {
		return source{}, err
	}
	client := http.Client{Transport: r.transport(), CheckRedirect: checkRedirect}
	resp, err := client.Do(req)
	if err != nil {
		return source{}, err
	}
	if err := checkStatus(resp); err != nil {
		resp.Body.Close()
		return source{}, err
	}
	return source{body: resp.Body, size: resp.ContentLength, digest: digestOf(resp.Header)}, nil
}

// transport is for one fetch. It takes bytes as they are: a server that compresses on its way gives no length to check.
func (r *request) transport() *http.Transport {
	return &http.Transport{
		DialContext: r.lines.dialAgain, Proxy: proxy, DisableKeepAlives: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: r.cfg.RootCAs, MinVersion: tls.VersionTLS12}, MaxResponseHeaderBytes: 1 << 20,
	}
}

// proxy is the environment's, but not on the way to the machine's own services, such as the one that knows its role.
func proxy(req *http.Request) (*url.URL, error) {
	if ip := net.ParseIP(req.URL.Hostname()); ip.IsLinkLocalUnicast() {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}

var (
	errRedirects = errors.New("the server sends us from one address to the next, more than 10 times")
	errDowngrade = errors.New("the server sends us from https to http, where anybody could change the file")
)

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > 10 {
		return errRedirects
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http" {
		return errDowngrade
	}
	return nil
}

func checkStatus(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("the server answered %s: %w", resp.Status, fs.ErrNotExist)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return fmt.Errorf("the server answered %s: %w", resp.Status, fs.ErrPermission)
	}
	return fmt.Errorf("the server answered %s, not 200 with the file", resp.Status)
}

// digestOf reads what servers of jars say of their bytes: Content-MD5, and Artifactory's X-Checksum-Sha256. One that
// cannot be read says nothing.
func digestOf(h http.Header) *digest {
	if want, err := hex.DecodeString(h.Get("X-Checksum-Sha256")); err == nil && len(want) == sha256.Size {
		return &digest{Hash: sha256.New(), name: "SHA-256 (X-Checksum-Sha256)", want: want}
	}
	if want, err := base64.StdEncoding.DecodeString(h.Get("Content-MD5")); err == nil && len(want) == md5.Size {
		return &digest{Hash: md5.New(), name: "MD5 (Content-MD5)", want: want}
	}
	return nil
}
