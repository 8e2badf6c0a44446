package config

import (
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Keys that both daemons read.
const (
	keyReverseProxy    = "spark.ui.reverseProxy"
	keyReverseProxyURL = "spark.ui.reverseProxyUrl"
	keyKillEnabled     = "spark.ui.killEnabled"
	keyWorkerTimeout   = "spark.worker.timeout"
	keyPortRetries     = "spark.port.maxRetries"
	keyRedaction       = "spark.redaction.regex"
	keyDecommission    = "spark.decommission.enabled"
)

// defaultRedaction is Spark's default of spark.redaction.regex; "credential"
// joined it in 4.x and only hides more.
const defaultRedaction = `(?i)secret|password|token|access[.]?key|credential`

// UI holds what both daemons' web pages need.
type UI struct {
	Port            int    // spark.*.ui.port > --webui-port > environment > default; 0 is any free port
	ReverseProxy    bool   // spark.ui.reverseProxy
	ReverseProxyURL string // spark.ui.reverseProxyUrl, without a slash at its end
	KillEnabled     bool   // spark.ui.killEnabled
}

func (r *reader) ui(port int) UI {
	return UI{
		Port:            port,
		ReverseProxy:    r.boolean(false, keyReverseProxy),
		ReverseProxyURL: strings.TrimRight(r.str("", keyReverseProxyURL), "/"),
		KillEnabled:     r.boolean(true, keyKillEnabled),
	}
}

// redaction compiles spark.redaction.regex. Spark takes a Java expression; what
// Go's linear-time engine cannot do (look-around, back references) is refused
// rather than left unredacted.
func (r *reader) redaction() *regexp.Regexp {
	text := r.str(defaultRedaction, keyRedaction)
	re, err := regexp.Compile(text)
	if err != nil {
		r.fail(fmt.Errorf("%s: the expression does not compile here (no look-around, no back references): %w", keyRedaction, err))
		return regexp.MustCompile(defaultRedaction)
	}
	return re
}

// portRetries is how many further ports are tried after a busy one.
func (r *reader) portRetries() int {
	return r.atLeast(0, 16, "The value should not be negative.", keyPortRetries)
}

// authSecret finds the cluster's RPC secret as Spark's SecurityManager does:
// spark.authenticate.secret, else the file of spark.authenticate.secret.file
// (its bytes in base64 are the secret). It is "" when spark.authenticate is off.
func (r *reader) authSecret(env Env) string {
	if !r.boolean(false, "spark.authenticate") {
		return ""
	}
	if s := env.Get("_SPARK_AUTH_SECRET"); s != "" {
		return s
	}
	if s := r.str("", "spark.authenticate.secret"); s != "" {
		return s
	}
	const why = "spark.authenticate is on, but"
	path := r.str("", "spark.authenticate.secret.executor.file", "spark.authenticate.secret.file")
	if path == "" {
		r.fail(fmt.Errorf("%s neither spark.authenticate.secret nor spark.authenticate.secret.file is set: %w", why, ErrInvalid))
		return ""
	}
	secret, err := readSecretFile(path)
	if err != nil {
		r.fail(fmt.Errorf("%s its secret cannot be read: %w", why, err))
	}
	return secret
}

func readSecretFile(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if len(raw) == 0 {
		return "", fmt.Errorf("secret file %s is empty: %w", path, ErrInvalid)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}
