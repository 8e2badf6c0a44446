package submission

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var secret = []byte(strings.Repeat("k", 32))

func sign(head, claims string, key []byte) string {
	e := base64.RawURLEncoding
	body := e.EncodeToString([]byte(head)) + "." + e.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(body))
	return body + "." + e.EncodeToString(mac.Sum(nil))
}

// JWSFilterSuite, and what a forger would try.
func TestJWSFilter(t *testing.T) {
	t.Parallel()
	filter, err := NewFilter([]string{jwsFilter}, func(class, name string) string {
		if class == jwsFilter && name == "secretKey" {
			return base64.URLEncoding.EncodeToString(secret)
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	h := filter(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	const hs256, none = `{"alg":"HS256"}`, `{"alg":"none"}`
	later, earlier := time.Now().Add(time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
	good := sign(hs256, `{}`, secret)
	for _, c := range []struct {
		name, header string
		want         int
	}{
		{"no header", "", 403},
		{"not Bearer", "Basic x", 403},
		{"Bearer of nothing", "Bearer ", 403},
		{"no token", "Bearer invalid", 403},
		{"good", "Bearer " + good, 204},
		{"of somebody else", "Bearer " + sign(hs256, `{}`, []byte(strings.Repeat("x", 32))), 403},
		{"unsigned", "Bearer " + strings.TrimRight(sign(none, `{}`, secret), "."), 403},
		{"without its signature", "Bearer " + good[:strings.LastIndex(good, ".")+1], 403},
		{"another algorithm", "Bearer " + sign(`{"alg":"HS512"}`, `{}`, secret), 403},
		{"expired", "Bearer " + sign(hs256, fmt.Sprintf(`{"exp":%d}`, earlier), secret), 403},
		{"not expired", "Bearer " + sign(hs256, fmt.Sprintf(`{"exp":%d,"nbf":%d}`, later, earlier), secret), 204},
		{"not yet", "Bearer " + sign(hs256, fmt.Sprintf(`{"nbf":%d}`, later), secret), 403},
		{"no JSON", "Bearer " + sign(hs256, `x`, secret), 403},
	} {
		r := httptest.NewRequest("GET", base+"readyz", nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d", c.name, w.Code)
		}
	}
}

// A filter that cannot be had stops the master, rather than leaving the door open.
func TestFiltersThatCannotBeHad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, key, want string }{
		{"com.acme.Filter", "", "com.acme.Filter"},
		{jwsFilter, "", "secretKey must be given"},
		{jwsFilter, "!", "base64"},
		{jwsFilter, "c2hvcnQ", "40 bits"},
	} {
		_, err := NewFilter([]string{c.name}, func(string, string) string { return c.key })
		if !errors.Is(err, ErrFilter) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if f, err := NewFilter(nil, nil); err != nil || f == nil {
		t.Error(err)
	}
}
