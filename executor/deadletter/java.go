package deadletter

import (
	"errors"
	"strconv"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/executor/kafkaio"
)

// The context headers, Kafka Connect's.
const (
	prefix        = "__connect.errors."
	topicHeader   = prefix + "topic"
	partHeader    = prefix + "partition"
	offsetHeader  = prefix + "offset"
	nameHeader    = prefix + "connector.name"
	taskHeader    = prefix + "task.id"
	stageHeader   = prefix + "stage"
	classHeader   = prefix + "class.name"
	errorHeader   = prefix + "exception.class.name"
	messageHeader = prefix + "exception.message"
	traceHeader   = prefix + "exception.stacktrace"
)

const errorsPackage = "org.apache.kafka.connect.errors."

// className is the class of Java's exception that stands for an error: its own where it names one, the converters'
// DataException, RetriableException, and ConnectException for all others.
func className(err error) string {
	var named interface{ JavaClass() string }
	var t *transform.Error
	switch {
	case errors.As(err, &named):
		return named.JavaClass()
	case errors.As(err, &t):
		return t.Class
	case errors.Is(err, converter.ErrData):
		return errorsPackage + "DataException"
	case connectors.IsRetriable(err):
		return errorsPackage + "RetriableException"
	}
	return errorsPackage + "ConnectException"
}

// message is what Java's exception says: no more, since tools compare it. An error that is none of Java's says all.
func message(err error) string {
	var c *converter.Error
	var t *transform.Error
	switch {
	case errors.As(err, &c):
		return c.Message
	case errors.As(err, &t):
		return t.Message
	}
	return err.Error()
}

// contextHeaders appends the headers that say where a record comes from and why it is here, in Kafka Connect's order.
func (q *Queue) contextHeaders(to []kafkaio.Header, r *kafkaio.Record, f Failure) []kafkaio.Header {
	class, text := className(f.Err), message(f.Err)
	for _, h := range [...][2]string{
		{topicHeader, r.Topic}, {partHeader, strconv.Itoa(int(r.Partition))}, {offsetHeader, strconv.FormatInt(r.Offset, 10)},
		{nameHeader, q.connector}, {taskHeader, strconv.Itoa(q.task)}, {stageHeader, f.Stage}, {classHeader, f.Class},
		{errorHeader, class}, {messageHeader, text},
		// There are no frames of Java's to print: what printStackTrace begins with.
		{traceHeader, class + ": " + text + "\n"},
	} {
		to = append(to, kafkaio.Header{Key: h[0], Value: []byte(h[1])})
	}
	return to
}
