// Package errs holds the errors that a user can see. Each has a stable dotted reason, registered once
// with its gRPC code and the HTTP status that Kafka Connect's clients expect. The message says what is
// wrong, with which key, and what would be right. The API's edges (controlplane/api/status.go and
// gateway/rest/errors.go) turn them into statuses; nothing else does.
package errs

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
)

// Reason is the stable name of a kind of error.
type Reason string

// The reasons. The table below gives each its codes.
const (
	ConnectorNotFound   Reason = "connector.not_found"
	ConnectorExists     Reason = "connector.exists"
	ConfigInvalid       Reason = "config.invalid"
	ConfigTooLarge      Reason = "config.too_large"
	NameMismatch        Reason = "connector.name_mismatch"
	ClassUnknown        Reason = "plugin.unknown"
	PluginMismatch      Reason = "plugin.mismatch"
	ConfigChanged       Reason = "config.changed"
	PluginUnknown       Reason = "plugin.not_found"
	VersionInvalid      Reason = "plugin.version_invalid"
	VersionUnknown      Reason = "plugin.version_unknown"
	TaskNotFound        Reason = "task.not_found"
	TaskStopped         Reason = "task.stopped"
	LoggerNotFound      Reason = "logger.not_found"
	LevelMissing        Reason = "logger.level_missing"
	LevelUnknown        Reason = "logger.level_unknown"
	ExecutorBusy        Reason = "executor.busy"
	StatusNotFound      Reason = "status.not_found"
	ExecutorNotFound    Reason = "executor.not_found"
	UnitNotFound        Reason = "unit.not_found"
	RequestMalformed    Reason = "request.malformed"
	NoExecutor          Reason = "executor.none"
	NoExecutorForPlugin Reason = "executor.none_for_plugin"
	ExecutorTimeout     Reason = "executor.timeout"
	KafkaUnavailable    Reason = "kafka.unavailable"
	NoReplica           Reason = "controlplane.none"
	StoreUnavailable    Reason = "store.unavailable"
	StoreFull           Reason = "store.full"
	Conflict            Reason = "request.conflict"
	PlanStale           Reason = "plan.stale"
	SessionLapsed       Reason = "session.lapsed"
	NotHolder           Reason = "unit.not_holder"
	// Kafka Connect answers the first of these and bad offsets with its own texts.
	OffsetsNotStopped  Reason = "offsets.not_stopped"
	OffsetsInvalid     Reason = "offsets.invalid"
	OffsetsUnsupported Reason = "offsets.unsupported"
	OffsetsGroupActive Reason = "offsets.group_active"
	OffsetsFailed      Reason = "offsets.failed"
	OffsetsTooLarge    Reason = "offsets.too_large"
	OffsetsTimeout     Reason = "offsets.timeout"
	TopicsDisabled     Reason = "topics.disabled"
	HandedBack         Reason = "cluster.handed_back"
	EventsSlow         Reason = "events.too_slow"
	Internal           Reason = "internal"
)

// Codes are the codes of a reason.
type Codes struct {
	GRPC codes.Code
	HTTP int
}

var table = map[Reason]Codes{
	ConnectorNotFound:   {codes.NotFound, 404},
	ConnectorExists:     {codes.AlreadyExists, 409},
	ConfigInvalid:       {codes.InvalidArgument, 400},
	ConfigTooLarge:      {codes.InvalidArgument, 400},
	NameMismatch:        {codes.InvalidArgument, 400},
	ClassUnknown:        {codes.InvalidArgument, 400},
	PluginMismatch:      {codes.InvalidArgument, 400},
	ConfigChanged:       {codes.FailedPrecondition, 412},
	PluginUnknown:       {codes.NotFound, 404},
	VersionInvalid:      {codes.InvalidArgument, 400},
	VersionUnknown:      {codes.InvalidArgument, 400},
	TaskNotFound:        {codes.NotFound, 404},
	TaskStopped:         {codes.Aborted, 409},
	LoggerNotFound:      {codes.NotFound, 404},
	LevelMissing:        {codes.InvalidArgument, 400},
	LevelUnknown:        {codes.NotFound, 404},
	ExecutorBusy:        {codes.Unavailable, 503},
	StatusNotFound:      {codes.NotFound, 404},
	ExecutorNotFound:    {codes.NotFound, 404},
	UnitNotFound:        {codes.NotFound, 404},
	RequestMalformed:    {codes.InvalidArgument, 400},
	NoExecutor:          {codes.Unavailable, 503},
	NoExecutorForPlugin: {codes.Unavailable, 503},
	// Kafka Connect answers 500 to a request that timed out.
	ExecutorTimeout:    {codes.Unavailable, 500},
	KafkaUnavailable:   {codes.Unavailable, 503},
	NoReplica:          {codes.Unavailable, 503},
	StoreUnavailable:   {codes.Unavailable, 503},
	StoreFull:          {codes.ResourceExhausted, 503},
	Conflict:           {codes.Aborted, 409},
	PlanStale:          {codes.FailedPrecondition, 409},
	SessionLapsed:      {codes.FailedPrecondition, 409},
	NotHolder:          {codes.PermissionDenied, 403},
	OffsetsNotStopped:  {codes.FailedPrecondition, 400},
	OffsetsInvalid:     {codes.InvalidArgument, 400},
	OffsetsUnsupported: {codes.FailedPrecondition, 400},
	OffsetsGroupActive: {codes.Aborted, 500},
	OffsetsFailed:      {codes.Internal, 500},
	OffsetsTooLarge:    {codes.InvalidArgument, 400},
	OffsetsTimeout:     {codes.Unavailable, 503},
	TopicsDisabled:     {codes.PermissionDenied, 403},
	HandedBack:         {codes.FailedPrecondition, 409},
	EventsSlow:         {codes.ResourceExhausted, 503},
	Internal:           {codes.Internal, 500},
}

// Lookup returns a reason's codes; those of Internal for one that is not registered.
func Lookup(r Reason) Codes {
	if c, ok := table[r]; ok {
		return c
	}
	return table[Internal]
}

// Reasons returns every registered reason, for the generated reference.
func Reasons() map[Reason]Codes {
	out := make(map[Reason]Codes, len(table))
	for r, c := range table {
		out[r] = c
	}
	return out
}

// Error is an error that a user can see.
type Error struct {
	Reason  Reason
	Message string
}

func (e *Error) Error() string { return e.Message }

// New makes an error for the user. The message must not hold a secret.
func New(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Message: fmt.Sprintf(format, args...)}
}

// ReasonOf returns the reason of an error, Internal where it has none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return Internal
}
