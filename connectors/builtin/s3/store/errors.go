package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/sluice-project/sluice/connectors"
)

// codeOf is S3's code of an error, empty where it is none of S3's.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// failed says what an error means: which key of the config to look at, and whether another try may help.
func (c *Client) failed(doing, object string, err error) error {
	what := doing
	if object != "" {
		what += fmt.Sprintf(" %q", object)
	}
	where := c.conf.Endpoint
	if where == "" {
		where = "Amazon S3 in " + c.conf.Region
	}
	n := c.conf.Names
	say := func(class connectors.ErrorClass, hint string) error {
		return connectors.Classify(class, fmt.Errorf("s3: %s: %s: %w", what, hint, err))
	}
	switch codeOf(err) {
	case "NoSuchBucket":
		return say(connectors.ConfigError, fmt.Sprintf("the bucket %q of %s is not there at %s: create it, or name another", c.conf.Bucket, n.Bucket, where))
	case "InvalidBucketName":
		return say(connectors.ConfigError, fmt.Sprintf("%q is no name that a bucket can have: correct %s", c.conf.Bucket, n.Bucket))
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired", "InvalidClientTokenId", "UnrecognizedClientException":
		return say(connectors.AuthorisationError, fmt.Sprintf("%s refuses the credentials: correct %s", where, n.Credentials))
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden":
		return say(connectors.AuthorisationError, fmt.Sprintf("the credentials of %s may not do this in the bucket %q of %s: s3:PutObject and s3:AbortMultipartUpload are needed", n.Credentials, c.conf.Bucket, n.Bucket))
	case "RequestTimeTooSkewed":
		return say(connectors.AuthorisationError, "the clock of this machine is wrong")
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return say(connectors.ConfigError, fmt.Sprintf("the bucket %q is not in the region %q: correct %s", c.conf.Bucket, c.conf.Region, n.Region))
	case "NoSuchUpload":
		return connectors.Classify(connectors.TransientError, fmt.Errorf("s3: %s: %w", what, errGone))
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("s3: %s: %w", what, err)
	}
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.HTTPStatusCode() == 0 {
		return connectors.Retriable(fmt.Errorf("s3: %s: no answer from %s (%s): %w", what, where, n.Endpoint, err))
	}
	switch status := answer.HTTPStatusCode(); {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return connectors.Retriable(fmt.Errorf("s3: %s: %s is busy or away: %w", what, where, err))
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return say(connectors.AuthorisationError, fmt.Sprintf("%s refuses this to the credentials of %s", where, n.Credentials))
	}
	return fmt.Errorf("s3: %s: %w", what, err)
}
