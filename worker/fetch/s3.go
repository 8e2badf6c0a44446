package fetch

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
)

// s3Attempts is how often a request is sent that a server refuses for a while, or a line that breaks before the answer.
const s3Attempts = 3

// openS3 reads an object: s3a://BUCKET/KEY.
func openS3(ctx context.Context, r *request) (source, error) {
	bucket, key := r.url.Host, strings.TrimPrefix(r.url.Path, "/")
	if bucket == "" || r.url.Port() != "" {
		return source{}, fmt.Errorf("%w: an object is %s://BUCKET/KEY, and the server is named by spark.hadoop.fs.s3a.endpoint", ErrURL, r.url.Scheme)
	}
	conf, err := loadHadoop(r.settings, r.cfg.Env)
	if err != nil {
		return source{}, err
	}
	client, err := newS3(ctx, bucketConf{hadoop: conf, bucket: bucket}, r)
	if err != nil {
		return source{}, err
	}
	body, info, header, err := client.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return source{}, s3Error(err)
	}
	return source{body: body, size: info.Size, digest: etagDigest(bucket, header)}, nil
}

func newS3(ctx context.Context, conf bucketConf, r *request) (*minio.Core, error) {
	at, err := conf.endpoint()
	if err != nil {
		return nil, err
	}
	transport := r.transport()
	creds, err := conf.credentials(ctx, &http.Client{Transport: transport}, at.amazon)
	if err != nil {
		return nil, err
	}
	client, err := minio.NewCore(at.host, &minio.Options{
		Creds: creds, Secure: at.secure, Transport: transport, Region: conf.region(), BucketLookup: conf.lookup(), MaxRetries: s3Attempts,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: fs.s3a.endpoint: %w", ErrSettings, err)
	}
	return client, nil
}

// etagDigest takes an ETag that is the object's MD5 (SkipMd5CheckStrategy of the AWS SDK): not of an upload in parts, not
// where a customer's or a key service's key encrypts, not in a directory bucket.
func etagDigest(bucket string, h http.Header) *digest {
	if h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "" || strings.HasPrefix(h.Get("X-Amz-Server-Side-Encryption"), "aws:kms") || strings.HasSuffix(bucket, "--x-s3") {
		return nil
	}
	want, err := hex.DecodeString(strings.Trim(h.Get("ETag"), `"`))
	if err != nil || len(want) != md5.Size {
		return nil
	}
	return &digest{Hash: md5.New(), name: "MD5 (ETag)", want: want}
}

// s3Error says in the words of S3 what it refuses.
func s3Error(err error) error {
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			return inURL.Err
		}
		return err
	}
	said := fmt.Sprintf("the server answers %s (%s)", answer.Code, strings.TrimSuffix(answer.Error(), "."))
	switch answer.Code {
	case minio.NoSuchKey, minio.NoSuchBucket, "NoSuchVersion":
		return fmt.Errorf("%s: %w", said, fs.ErrNotExist)
	case minio.AccessDenied, "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AllAccessDisabled":
		return fmt.Errorf("%s: %w", said, fs.ErrPermission)
	}
	if answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s: %w", said, fs.ErrNotExist)
	}
	return errors.New(said)
}
