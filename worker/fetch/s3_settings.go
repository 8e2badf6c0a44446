package fetch

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucketConf reads fs.s3a.*, where a bucket's own fs.s3a.bucket.NAME.* goes first (S3AUtils.propagateBucketOptions).
type bucketConf struct {
	hadoop
	bucket string
}

func (c bucketConf) prefixes() []string {
	return []string{"fs.s3a.bucket." + c.bucket + ".", "fs.s3a."}
}

func (c bucketConf) option(name string) string {
	p := c.prefixes()
	return c.get(p[0]+name, p[1]+name)
}

type s3Endpoint struct {
	host   string // with the port, if one was given
	secure bool
	amazon bool
}

const amazonHost = "s3.amazonaws.com"

// endpoint reads fs.s3a.endpoint: a host, or a URL, whose scheme goes before fs.s3a.connection.ssl.enabled.
func (c bucketConf) endpoint() (s3Endpoint, error) {
	at := s3Endpoint{host: c.option("endpoint"), secure: !strings.EqualFold(c.option("connection.ssl.enabled"), "false")}
	if at.host == "" {
		at.host = amazonHost
	}
	if strings.Contains(at.host, "://") {
		u, err := url.Parse(at.host)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
			return at, fmt.Errorf("%w: fs.s3a.endpoint is %q, and should be HOST:PORT or http://HOST:PORT", ErrSettings, redacted(at.host))
		}
		at.host, at.secure = u.Host, u.Scheme == "https"
	}
	host, _, _ := strings.Cut(at.host, ":")
	at.amazon = strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
	return at, nil
}

// region is "" where nobody says it; then the server is asked for that of the bucket.
func (c bucketConf) region() string {
	for _, v := range []string{c.option("endpoint.region"), c.env.Get("AWS_REGION"), c.env.Get("AWS_DEFAULT_REGION")} {
		if v != "" {
			return v
		}
	}
	return ""
}

// lookup: where nobody says, the library takes the bucket into the host's name with Amazon and whom it knows to want it.
func (c bucketConf) lookup() minio.BucketLookupType {
	switch strings.ToLower(c.option("path.style.access")) {
	case "true":
		return minio.BucketLookupPath
	case "false":
		return minio.BucketLookupDNS
	}
	return minio.BucketLookupAuto
}

// credentials are those of Hadoop's keys, else of the environment, else of the machine or container, if it is Amazon's.
func (c bucketConf) credentials(ctx context.Context, client *http.Client, amazon bool) (*credentials.Credentials, error) {
	providers := c.option("aws.credentials.provider")
	if strings.Contains(providers, "Anonymous") {
		return credentials.NewStatic("", "", "", credentials.SignatureAnonymous), nil
	}
	if access, secret, token := c.keys(); access != "" && secret != "" {
		return credentials.NewStaticV4(access, secret, token), nil
	}
	if access, secret := c.env.Get("AWS_ACCESS_KEY_ID"), c.env.Get("AWS_SECRET_ACCESS_KEY"); access != "" && secret != "" {
		return credentials.NewStaticV4(access, secret, c.env.Get("AWS_SESSION_TOKEN")), nil
	}
	const none = "there are no credentials: set spark.hadoop.fs.s3a.access.key and spark.hadoop.fs.s3a.secret.key for the driver, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the worker; " +
		"for a public object spark.hadoop.fs.s3a.aws.credentials.provider=org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider"
	if !amazon && !c.hasRole(providers) {
		return nil, fmt.Errorf("%w: %s: %w", ErrSettings, none, fs.ErrPermission)
	}
	creds := credentials.New(&credentials.IAM{Region: c.region()})
	ctx, cancel := context.WithTimeout(ctx, roleTimeout)
	defer cancel()
	if _, err := creds.GetWithContext(&credentials.CredContext{Client: client, Context: ctx}); err != nil {
		return nil, fmt.Errorf("%w: %s; and this machine has no role: %w: %w", ErrSettings, none, err, fs.ErrPermission)
	}
	return creds, nil
}

// roleTimeout bounds the question for the machine's role: where nothing answers, it has none.
const roleTimeout = 5 * time.Second

// hasRole tells whether something says that this machine or container is given credentials.
func (c bucketConf) hasRole(providers string) bool {
	for _, v := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if c.env.Get(v) != "" {
			return true
		}
	}
	return strings.Contains(providers, "InstanceProfile") || strings.Contains(providers, "IAMInstance") || strings.Contains(providers, "Container") || strings.Contains(providers, "WebIdentity")
}

// keys are an access key with the secret and the token that belong to it: they come from one place, so that a driver's own
// key is not sent with the worker's token.
func (c bucketConf) keys() (access, secret, token string) {
	for _, prefix := range c.prefixes() {
		for _, layer := range c.layers() {
			read := func(name string) string { return c.expand(layer(prefix+name), 0) }
			if access = read("access.key"); access == "" {
				continue
			}
			if secret = read("secret.key"); secret == "" {
				secret = c.option("secret.key")
			}
			return access, secret, read("session.token")
		}
	}
	return "", "", ""
}
