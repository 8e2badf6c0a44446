package submission

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"time"
)

// Filter stands before the protocol and may turn a request away.
type Filter func(http.Handler) http.Handler

// jwsFilter is the one servlet filter that Spark brings for its REST server, and the one that is served here.
const jwsFilter = "org.apache.spark.ui.JWSFilter"

// ErrFilter says that spark.master.rest.filters cannot be met. To serve without a filter that an operator wants would open
// the door that it is to keep shut.
var ErrFilter = errors.New("spark.master.rest.filters")

// NewFilter makes what spark.master.rest.filters asks for: names are its classes, parameter looks up
// spark.CLASS.param.NAME.
func NewFilter(names []string, parameter func(class, name string) string) (Filter, error) {
	all := Filter(func(h http.Handler) http.Handler { return h })
	for _, name := range names {
		if name != jwsFilter {
			return nil, fmt.Errorf("%w: %s is a Java class, which only a JVM could load; %s is the one that is known here. Take it out, or put a proxy that authenticates before the master", ErrFilter, name, jwsFilter)
		}
		key, err := jwsKey(parameter(name, "secretKey"))
		if err != nil {
			return nil, fmt.Errorf("%w: spark.%s.param.secretKey %w", ErrFilter, name, err)
		}
		inner := all
		all = func(h http.Handler) http.Handler { return inner(jws{key, time.Now, h}) }
	}
	return all, nil
}

// jwsKey reads a key as JWSFilter.init does: base64 for URLs, of at least 256 bits.
func jwsKey(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("must be given")
	}
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, errors.New("must be base64, of the kind for URLs")
	}
	if len(key) < sha256.Size {
		return nil, fmt.Errorf("has %d bits: at least 256 are needed", 8*len(key))
	}
	return key, nil
}

// jws lets in who has signed a token with the key (JSON Web Signature, RFC 7515, with HMAC).
type jws struct {
	key  []byte
	now  func() time.Time
	next http.Handler
}

func (f jws) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := r.Header.Get("Authorization")
	token, bearer := strings.CutPrefix(header, "Bearer ")
	switch {
	case header == "":
		page(w, r, http.StatusForbidden, "Authorization header is missing.")
	case !bearer:
		page(w, r, http.StatusForbidden, "Malformed Authorization header.")
	case f.check(token) != nil:
		page(w, r, http.StatusForbidden, "JWT Validate Fail") // why, is nobody's business
	default:
		f.next.ServeHTTP(w, r)
	}
}

// hashes of the algorithms that a key of so many bytes is good for.
var hashes = map[string]struct {
	least int
	make  func() hash.Hash
}{
	"HS256": {32, sha256.New}, "HS384": {48, sha512.New384}, "HS512": {64, sha512.New},
}

var errToken = errors.New("the token is not valid")

func (f jws) check(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errToken
	}
	var head struct {
		Alg  string   `json:"alg"`
		Crit []string `json:"crit"`
	}
	if err := part(parts[0], &head); err != nil {
		return err
	}
	h, ok := hashes[head.Alg]
	if !ok || len(f.key) < h.least || len(head.Crit) > 0 { // "none" is no algorithm
		return errToken
	}
	mac := hmac.New(h.make, f.key)
	mac.Write([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
		return errToken
	}
	var claims struct {
		Expires   *float64 `json:"exp"` // seconds since the epoch
		NotBefore *float64 `json:"nbf"`
	}
	if err := part(parts[1], &claims); err != nil {
		return err
	}
	now := float64(f.now().UnixNano()) / 1e9
	if claims.Expires != nil && now > *claims.Expires || claims.NotBefore != nil && now < *claims.NotBefore {
		return errToken
	}
	return nil
}

func part(text string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return errToken
	}
	if err := json.Unmarshal(b, into); err != nil {
		return errToken
	}
	return nil
}
