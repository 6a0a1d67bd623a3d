package kafkaio

import (
	"context"
	"errors"
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Sentinels of the package. An *Error matches those that fit its code.
var (
	// ErrQueueFull says that the producer's buffer is full: take reports, then go on.
	ErrQueueFull = errors.New("kafka: the producer's buffer is full")
	// ErrClosed says that the client was closed.
	ErrClosed = errors.New("kafka: client is closed")
	// ErrFenced says that a newer instance took this one's place; nothing of this one is accepted any more.
	ErrFenced = errors.New("kafka: fenced by a newer instance")
	// ErrUnknownTopic says that a topic does not exist.
	ErrUnknownTopic = errors.New("kafka: topic does not exist")
	// ErrTopicExists says that a topic exists already.
	ErrTopicExists = errors.New("kafka: topic exists already")
	// ErrGroupActive says that a group has members, so that nobody else may change its offsets.
	ErrGroupActive = errors.New("kafka: the group has members")
	// ErrUnknownGroup says that a group does not exist.
	ErrUnknownGroup = errors.New("kafka: group does not exist")
	// ErrTopicSettings says that an internal topic exists with settings that would lose data.
	ErrTopicSettings = errors.New("kafka: topic has the wrong settings")
	// ErrTimeout says that Kafka did not answer in time.
	ErrTimeout = errors.New("kafka: no answer in time")
	// ErrDenied says that the client's principal may not do that: an ACL is missing.
	ErrDenied = errors.New("kafka: not authorised")
	// ErrConfig says that a client's configuration cannot be used.
	ErrConfig = errors.New("kafka: client configuration")
)

// Error is an error of Kafka or of the client.
type Error struct {
	// Code is librdkafka's; negative ones are the client's own.
	Code int
	Text string
	// Fatal errors end the client; Abort ones end the transaction.
	Fatal, Retriable, Abort bool
}

func (e *Error) Error() string { return "kafka: " + e.Text }

// Is matches the sentinels of the package.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrFenced:
		switch kafka.ErrorCode(e.Code) {
		case kafka.ErrFencedInstanceID, kafka.ErrFenced, kafka.ErrProducerFenced, kafka.ErrInvalidProducerEpoch:
			return true
		}
	case ErrQueueFull:
		return kafka.ErrorCode(e.Code) == kafka.ErrQueueFull
	case ErrUnknownTopic:
		c := kafka.ErrorCode(e.Code)
		return c == kafka.ErrUnknownTopicOrPart || c == kafka.ErrUnknownTopic || c == kafka.ErrUnknownPartition
	case ErrGroupActive:
		switch kafka.ErrorCode(e.Code) {
		case kafka.ErrNonEmptyGroup, kafka.ErrUnknownMemberID, kafka.ErrGroupSubscribedToTopic:
			return true
		}
	case ErrUnknownGroup:
		return kafka.ErrorCode(e.Code) == kafka.ErrGroupIDNotFound
	case ErrTopicExists:
		return kafka.ErrorCode(e.Code) == kafka.ErrTopicAlreadyExists
	case ErrDenied:
		switch kafka.ErrorCode(e.Code) {
		case kafka.ErrTopicAuthorizationFailed, kafka.ErrGroupAuthorizationFailed, kafka.ErrClusterAuthorizationFailed, kafka.ErrTransactionalIDAuthorizationFailed:
			return true
		}
	case ErrTimeout:
		c := kafka.ErrorCode(e.Code)
		return c == kafka.ErrTimedOut || c == kafka.ErrMsgTimedOut || c == kafka.ErrRequestTimedOut
	}
	return false
}

// Retriable tells whether trying again may help.
func Retriable(err error) bool {
	if errors.Is(err, ErrQueueFull) {
		return true
	}
	var e *Error
	if !errors.As(err, &e) || e.Fatal {
		return false
	}
	if e.Retriable {
		return true
	}
	switch kafka.ErrorCode(e.Code) {
	case kafka.ErrTimedOut, kafka.ErrMsgTimedOut, kafka.ErrRequestTimedOut, kafka.ErrTransport, kafka.ErrAllBrokersDown,
		kafka.ErrTimedOutQueue, kafka.ErrLeaderNotAvailable, kafka.ErrNotLeaderForPartition, kafka.ErrNotEnoughReplicas,
		kafka.ErrNotEnoughReplicasAfterAppend, kafka.ErrCoordinatorNotAvailable, kafka.ErrNotCoordinator,
		kafka.ErrCoordinatorLoadInProgress, kafka.ErrNetworkException, kafka.ErrRebalanceInProgress, kafka.ErrWaitCoord,
		kafka.ErrBrokerNotAvailable, kafka.ErrReplicaNotAvailable, kafka.ErrThrottlingQuotaExceeded:
		return true
	}
	return false
}

// Unauthorised says whether Kafka refused the credentials, or an operation for want of rights.
func Unauthorised(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch kafka.ErrorCode(e.Code) {
	case kafka.ErrAuthentication, kafka.ErrSaslAuthenticationFailed, kafka.ErrTopicAuthorizationFailed, kafka.ErrGroupAuthorizationFailed,
		kafka.ErrClusterAuthorizationFailed, kafka.ErrTransactionalIDAuthorizationFailed:
		return true
	}
	return false
}

// refused are the answers that no waiting mends: Java's clients throw them.
func refused(code kafka.ErrorCode) bool {
	switch code {
	case kafka.ErrAuthentication, kafka.ErrSaslAuthenticationFailed, kafka.ErrTopicAuthorizationFailed,
		kafka.ErrGroupAuthorizationFailed, kafka.ErrClusterAuthorizationFailed, kafka.ErrUnsupportedSaslMechanism,
		kafka.ErrUnsupportedFeature, kafka.ErrFencedInstanceID, kafka.ErrInvalidGroupID, kafka.ErrAutoOffsetReset:
		return true
	}
	return false
}

// wrap makes an *Error of confluent-kafka-go's; other errors pass.
func wrap(err error) error {
	var k kafka.Error
	if err == nil {
		return nil
	}
	if !errors.As(err, &k) {
		return err
	}
	if k.Code() == kafka.ErrNoError {
		return nil
	}
	return &Error{Code: int(k.Code()), Text: k.Error(), Fatal: k.IsFatal(), Retriable: k.IsRetriable(), Abort: k.TxnRequiresAbort()}
}

// codeError is the error of a bare code.
func codeError(code int32) error {
	if code == 0 {
		return nil
	}
	return wrap(kafka.NewError(kafka.ErrorCode(code), kafka.ErrorCode(code).String(), false))
}

// ended is what a call returns whose context is over.
func ended(ctx context.Context, what string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, ErrTimeout)
	}
	return fmt.Errorf("%s: %w", what, ctx.Err())
}
