package store

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Upload is one object on its way. Not safe for concurrent use.
type Upload struct {
	c     *Client
	key   string
	buf   spool
	sent  int64
	id    string // of the multipart upload, empty while there is none
	parts []types.CompletedPart
}

// NewUpload begins an object; nothing is sent yet.
func (c *Client) NewUpload(key string) *Upload { return &Upload{c: c, key: key} }

// Key is the object's.
func (u *Upload) Key() string { return u.key }

// Write collects p. It fails only where p was to go into a file, and that failed.
func (u *Upload) Write(p []byte) (int, error) { return u.buf.Write(p) }

// Full says whether a part can be sent.
func (u *Upload) Full() bool { return u.buf.len() >= u.c.conf.PartSize }

// Held is the memory that it takes, in bytes.
func (u *Upload) Held() int64 { return u.buf.held() }

// Spill moves what is held into a file.
func (u *Upload) Spill() error { return u.buf.spill() }

// Send sends all full parts.
func (u *Upload) Send(ctx context.Context) error {
	for u.Full() {
		if err := u.begin(ctx); err != nil {
			return err
		}
		if err := u.part(ctx, u.c.conf.PartSize); err != nil {
			return err
		}
	}
	return nil
}

func (u *Upload) begin(ctx context.Context) error {
	if u.id != "" {
		return nil
	}
	enc, kms, acl := u.c.putAttributes()
	out, err := u.c.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &u.c.conf.Bucket, Key: &u.key,
		ServerSideEncryption: enc, SSEKMSKeyId: kms, ACL: acl})
	if err != nil {
		return u.c.failed("beginning the multipart upload of", u.key, err)
	}
	u.id = aws.ToString(out.UploadId)
	return nil
}

func (u *Upload) part(ctx context.Context, n int64) error {
	number := int32(len(u.parts) + 1) //nolint:gosec // S3 takes 10,000 parts
	out, err := u.c.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: &u.c.conf.Bucket, Key: &u.key, UploadId: &u.id, PartNumber: &number,
		Body: u.buf.first(n), ContentLength: &n})
	if err != nil {
		return u.c.failed("uploading a part of", u.key, err)
	}
	u.parts = append(u.parts, types.CompletedPart{ETag: out.ETag, PartNumber: &number,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME})
	u.sent += n
	return u.buf.drop(n)
}

// Finish sends what is left and makes the object visible, in the place of one of the same key.
func (u *Upload) Finish(ctx context.Context) error {
	if u.id == "" && !u.Full() {
		return u.put(ctx)
	}
	if err := u.Send(ctx); err != nil {
		return err
	}
	if n := u.buf.len(); n > 0 {
		if err := u.part(ctx, n); err != nil {
			return err
		}
	}
	_, err := u.c.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &u.c.conf.Bucket, Key: &u.key, UploadId: &u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}})
	if err != nil {
		err = u.c.failed("completing the multipart upload of", u.key, err)
		if !errors.Is(err, errGone) || !u.there(ctx) {
			return err
		}
	}
	u.buf.close()
	return nil
}

// there says whether the object is there in full: the answer to an earlier try was lost.
func (u *Upload) there(ctx context.Context) bool {
	out, err := u.c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &u.c.conf.Bucket, Key: &u.key})
	return err == nil && aws.ToInt64(out.ContentLength) == u.sent
}

func (u *Upload) put(ctx context.Context) error {
	enc, kms, acl := u.c.putAttributes()
	n := u.buf.len()
	_, err := u.c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &u.c.conf.Bucket, Key: &u.key, Body: u.buf.first(n), ContentLength: &n,
		ServerSideEncryption: enc, SSEKMSKeyId: kms, ACL: acl})
	if err != nil {
		return u.c.failed("uploading", u.key, err)
	}
	u.buf.close()
	return nil
}

// Abort gives everything back, and has S3 forget the parts, as far as it answers: a lifecycle rule of the bucket does the
// rest.
func (u *Upload) Abort(ctx context.Context) {
	u.buf.close()
	if u.id != "" {
		_, _ = u.c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.c.conf.Bucket, Key: &u.key, UploadId: &u.id})
		u.id = ""
	}
}
