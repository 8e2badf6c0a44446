package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// fakeOperator notes what it is asked for. Two workers are on host "alpha".
type fakeOperator struct {
	did []string
	err error
}

func (o *fakeOperator) DecommissionHosts(_ context.Context, hosts []string) (int, error) {
	o.did = append(o.did, "drain "+strings.Join(hosts, "+"))
	n := 0
	for _, h := range hosts {
		if strings.EqualFold(h, "alpha") {
			n += 2
		}
	}
	return n, o.err
}

func (o *fakeOperator) KillApp(_ context.Context, id string) error {
	o.did = append(o.did, "kill app "+id)
	return o.err
}

func (o *fakeOperator) KillDriver(_ context.Context, id string) error {
	o.did = append(o.did, "kill driver "+id)
	return o.err
}

const (
	loopback  = "127.0.0.1:40000"
	elsewhere = "203.0.113.7:40000"
)

// TestActions holds what Spark's Masters of 3.5.9 and 4.1.4 answered on loopback, but for the tokens of the latter.
func TestActions(t *testing.T) {
	t.Parallel()
	all := Actions{KillEnabled: true, Decommission: true, Allow: AllowLocal}
	noKill := Actions{Decommission: true, Allow: AllowLocal}
	noDrain := Actions{KillEnabled: true, Allow: AllowAll}
	for _, tc := range []struct {
		name     string
		set      Actions
		request  string
		body     string
		from     string
		header   [2]string
		code     int
		location string // behind http://m1.example:8080
		did      string
	}{
		{name: "workers of a host", set: all, request: "POST /workers/kill/?host=Alpha", code: 200, did: "drain Alpha"},
		{name: "of several hosts", set: all, request: "POST /workers/kill/?host=beta&host=alpha", code: 200, did: "drain beta+alpha"},
		{name: "hosts in the body", set: all, request: "POST /workers/kill/", body: "host=alpha", code: 200, did: "drain alpha"},
		{name: "no such host", set: all, request: "POST /workers/kill/?host=nobody", code: 404, did: "drain nobody"},
		{name: "no host", set: all, request: "POST /workers/kill/", code: 404},
		{name: "below the path", set: all, request: "POST /workers/kill/x?host=alpha", code: 200, did: "drain alpha"},
		{name: "drain without a slash", set: all, request: "POST /workers/kill?host=alpha", code: 302, location: "/workers/kill/?host=alpha"},
		{name: "drain by GET", set: all, request: "GET /workers/kill/?host=alpha", code: 405},
		{name: "drain by HEAD", set: all, request: "HEAD /workers/kill/?host=alpha", code: 405},
		{name: "drain from elsewhere, LOCAL", set: all, request: "POST /workers/kill/?host=alpha", from: elsewhere, code: 405},
		{name: "drain from elsewhere, ALLOW", set: Actions{Decommission: true, Allow: AllowAll}, request: "POST /workers/kill/?host=alpha", from: elsewhere, code: 200, did: "drain alpha"},
		{name: "drain, DENY", set: Actions{Decommission: true, Allow: "DENY"}, request: "POST /workers/kill/?host=alpha", code: 405},
		{name: "drain where decommission is disabled", set: noDrain, request: "POST /workers/kill/?host=alpha", code: 405},
		{name: "likewise without a slash", set: noDrain, request: "POST /workers/kill?host=alpha", code: 405},
		{name: "drain where kills are disabled", set: noKill, request: "POST /workers/kill/?host=alpha", code: 200, did: "drain alpha"},
		{name: "drain from another site's page", set: all, request: "POST /workers/kill/?host=alpha", header: [2]string{"Sec-Fetch-Site", "cross-site"}, code: 403},

		{name: "app", set: all, request: "POST /app/kill/?id=app-1&terminate=true", code: 302, location: "/", did: "kill app app-1"},
		{name: "app in the body", set: all, request: "POST /app/kill/", body: "id=app-1&terminate=true", code: 302, location: "/", did: "kill app app-1"},
		{name: "app from elsewhere", set: all, request: "POST /app/kill/?id=app-1&terminate=true", from: elsewhere, code: 302, location: "/", did: "kill app app-1"},
		{name: "app without terminate", set: all, request: "POST /app/kill/?id=app-1", code: 302, location: "/"},
		{name: "app, terminate=no", set: all, request: "POST /app/kill/?id=app-1&terminate=no", code: 302, location: "/"},
		{name: "app without id", set: all, request: "POST /app/kill/?terminate=true", code: 302, location: "/"},
		{name: "app without a slash", set: all, request: "POST /app/kill?id=x&terminate=true", code: 302, location: "/app/kill/?id=x&terminate=true"},
		{name: "app below the path", set: all, request: "POST /app/kill/foo?id=x", code: 302, location: "/"},
		{name: "app by GET", set: all, request: "GET /app/kill/?id=x&terminate=true", code: 405},
		{name: "app by PUT", set: all, request: "PUT /app/kill/?id=x&terminate=true", code: 405},
		{name: "app by TRACE", set: all, request: "TRACE /app/kill/?id=x&terminate=true", code: 405},
		{name: "app where kills are disabled", set: noKill, request: "POST /app/kill/?id=app-1&terminate=true", code: 405},
		{name: "app from another site's page", set: all, request: "POST /app/kill/?id=a&terminate=true", header: [2]string{"Origin", "http://evil.example"}, code: 403},
		{name: "app from the own page", set: all, request: "POST /app/kill/?id=a&terminate=true", header: [2]string{"Origin", "http://m1.example:8080"}, code: 302, location: "/", did: "kill app a"},
		{name: "app by a prefetch", set: all, request: "POST /app/kill/?id=a&terminate=true", header: [2]string{"Sec-Purpose", "prefetch"}, code: 403},

		{name: "driver", set: all, request: "POST /driver/kill/?id=driver-1&terminate=true", code: 302, location: "/", did: "kill driver driver-1"},
		{name: "driver by GET", set: all, request: "GET /driver/kill/?id=driver-1&terminate=true", code: 405},
		{name: "driver where kills are disabled", set: noKill, request: "POST /driver/kill/?id=driver-1&terminate=true", code: 405},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			op := &fakeOperator{}
			tc.set.Operator = op
			method, target, _ := strings.Cut(tc.request, " ")
			r := httptest.NewRequest(method, "http://m1.example:8080"+target, strings.NewReader(tc.body))
			if tc.body != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			if r.RemoteAddr = loopback; tc.from != "" {
				r.RemoteAddr = tc.from
			}
			if tc.header[0] != "" {
				r.Header.Set(tc.header[0], tc.header[1])
			}
			w := httptest.NewRecorder()
			Handler(newFake(t, true), tc.set).ServeHTTP(w, r)
			want := tc.location
			if want != "" {
				want = "http://m1.example:8080" + want
			}
			if did := strings.Join(op.did, ", "); w.Code != tc.code || w.Header().Get("Location") != want || did != tc.did {
				t.Errorf("%d, Location %q, did %q; want %d, %q, %q", w.Code, w.Header().Get("Location"), did, tc.code, want, tc.did)
			}
		})
	}
}

// Where nobody leads nothing was done, and the client learns that it may ask again.
func TestActionsWithoutALeader(t *testing.T) {
	t.Parallel()
	op := &fakeOperator{err: errors.New("nobody leads")}
	h := Handler(newFake(t, false), Actions{Operator: op, KillEnabled: true, Decommission: true, Allow: AllowAll})
	for _, target := range []string{"/workers/kill/?host=alpha", "/app/kill/?id=a&terminate=true", "/driver/kill/?id=d&terminate=true"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", target, nil))
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "nobody leads") {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestIsLocal(t *testing.T) {
	t.Parallel()
	local := []string{"127.0.0.1:1", "127.8.9.10:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "0.0.0.0:1"}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok {
			local = append(local, net.JoinHostPort(n.IP.String(), "1"))
		}
	}
	for _, addr := range slices.Concat(local, []string{elsewhere, "[2001:db8::1]:1", "", "@"}) {
		if got, want := isLocal(addr), slices.Contains(local, addr); got != want {
			t.Errorf("%q: %v", addr, got)
		}
	}
}
