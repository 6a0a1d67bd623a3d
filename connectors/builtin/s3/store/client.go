package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sluice-project/sluice/connectors"
)

// Config says which bucket and how it is reached.
type Config struct {
	Bucket, Region string
	// Endpoint is the URL of the service; empty is Amazon's of the region.
	Endpoint              string
	PathStyle, Accelerate bool
	// AccessKey and Secret are used where both are set, else the default chain of the SDK is asked: environment, shared
	// files, web identity, container and instance.
	AccessKey, Secret string
	Role              Role
	// PartSize is how much is sent at once, in bytes: at least 5 MiB, which is S3's own bound.
	PartSize int64
	// Retries is how often a request is tried again before its error is returned; the pauses begin at Backoff and double
	// up to MaxBackoff.
	Retries             int
	Backoff, MaxBackoff time.Duration
	// Timeout bounds one attempt of a request.
	Timeout time.Duration
	// Encryption is x-amz-server-side-encryption, KMSKey the key of aws:kms, ACL a canned ACL; empty sends none.
	Encryption, KMSKey, ACL string
	Proxy                   *url.URL
	Names                   Names
}

// Role is one that is assumed by STS; an empty ARN assumes none.
type Role struct {
	ARN, Session, ExternalID, Endpoint string
	Duration                           time.Duration
}

// Names are how the config calls things, for messages.
type Names struct{ Bucket, Region, Endpoint, Credentials string }

// Client puts objects into one bucket. Safe for concurrent use.
type Client struct {
	conf Config
	s3   *s3.Client
}

// New makes a client and asks for credentials; the bucket is not asked. ctx bounds only that.
func New(ctx context.Context, c Config) (*Client, error) {
	transport := awshttp.NewBuildableClient().WithTimeout(c.Timeout).WithDialerOptions(func(d *net.Dialer) { d.Timeout = min(10*time.Second, c.Timeout) })
	if c.Proxy != nil {
		transport = transport.WithTransportOptions(func(t *http.Transport) { t.Proxy = http.ProxyURL(c.Proxy) })
	}
	options := []func(*config.LoadOptions) error{config.WithRegion(c.Region), config.WithHTTPClient(transport), config.WithRetryer(c.retryer)}
	if c.AccessKey != "" && c.Secret != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKey, c.Secret, "")))
	}
	aws0, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, connectors.Classify(connectors.ConfigError, fmt.Errorf("s3: the SDK's own configuration (environment, shared files) cannot be read: %w", err))
	}
	if c.Role.ARN != "" {
		aws0.Credentials = aws.NewCredentialsCache(c.assume(aws0))
	}
	if _, err := aws0.Credentials.Retrieve(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, connectors.Classify(connectors.TransientError, fmt.Errorf("s3: credentials did not come in time: %w", err))
		}
		return nil, connectors.Classify(connectors.AuthorisationError, fmt.Errorf("s3: there are no credentials: set %s, or give the process some in its environment: %w", c.Names.Credentials, err))
	}
	return &Client{conf: c, s3: s3.NewFromConfig(aws0, func(o *s3.Options) {
		o.UsePathStyle, o.UseAccelerate = c.PathStyle, c.Accelerate
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
			// Other servers than Amazon's do not all know the checksums that the SDK sends by default; the body is signed.
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
	})}, nil
}

func (c Config) assume(from aws.Config) aws.CredentialsProvider {
	client := sts.NewFromConfig(from, func(o *sts.Options) {
		if c.Role.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Role.Endpoint)
		}
	})
	return stscreds.NewAssumeRoleProvider(client, c.Role.ARN, func(o *stscreds.AssumeRoleOptions) {
		if c.Role.Session != "" {
			o.RoleSessionName = c.Role.Session
		}
		if c.Role.ExternalID != "" {
			o.ExternalID = aws.String(c.Role.ExternalID)
		}
		if c.Role.Duration > 0 {
			o.Duration = c.Role.Duration
		}
	})
}

func (c Config) retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = c.Retries + 1
		o.RateLimiter = ratelimit.None // the bound is MaxAttempts, as the config says
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			most := c.Backoff << min(attempt, 30)
			if most <= 0 || most > c.MaxBackoff {
				most = c.MaxBackoff
			}
			// Half of it always, half at random, so that tasks that failed together do not come again together.
			return most/2 + rand.N(most/2+1), nil //nolint:gosec // no secret
		})
		o.Retryables = append(o.Retryables, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}, http.StatusRequestTimeout: {}}})
	})
}

// Check asks the bucket whether it is there and who we are. What only says that listing is not allowed is no error: to
// put objects needs less.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &c.conf.Bucket, MaxKeys: aws.Int32(1)})
	if err == nil || codeOf(err) == "AccessDenied" {
		return nil
	}
	return c.failed("looking at the bucket", "", err)
}

// putAttributes are what puts and multipart uploads are sent with besides the body.
func (c *Client) putAttributes() (enc types.ServerSideEncryption, kms *string, acl types.ObjectCannedACL) {
	if c.conf.KMSKey != "" {
		kms = &c.conf.KMSKey
	}
	return types.ServerSideEncryption(c.conf.Encryption), kms, types.ObjectCannedACL(c.conf.ACL)
}

// errGone says that a multipart upload is not there any more.
var errGone = errors.New("the multipart upload is gone: it was aborted from outside, by a lifecycle rule perhaps")
