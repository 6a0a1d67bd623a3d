package transform

import (
	"fmt"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javaregex"
)

// The classes of Java's exceptions.
const (
	dataException    = "org.apache.kafka.connect.errors.DataException"
	builderException = "org.apache.kafka.connect.errors.SchemaBuilderException"
	connectException = "org.apache.kafka.connect.errors.ConnectException"
	illegalArgument  = "java.lang.IllegalArgumentException"
	nullPointer      = "java.lang.NullPointerException"
	outOfBounds      = "java.lang.IndexOutOfBoundsException"
	classCast        = "java.lang.ClassCastException"
)

// Error says that a transform cannot take a record. It is never worth another try.
type Error struct {
	// Class is that of Kafka Connect's exception, and Message what it says.
	Class, Message string
}

func (e *Error) Error() string { return e.Message }

func fail(class, format string, args ...any) error {
	return &Error{Class: class, Message: fmt.Sprintf(format, args...)}
}

func badData(format string, args ...any) error { return fail(dataException, format, args...) }

// bare is what an error says without the words of what it wraps: Java's own.
func bare(err, wrapped error) string { return strings.TrimPrefix(err.Error(), wrapped.Error()+": ") }

func requireMap(s *data.Schema, v data.Value, purpose string) (*data.Map, error) {
	if m := v.Map(); m != nil {
		return m, nil
	}
	return nil, badData("Only Map objects supported in absence of schema for [%s], found: %s", purpose, found(s, v))
}

func requireStruct(s *data.Schema, v data.Value, purpose string) (*data.Struct, error) {
	if st := v.Struct(); st != nil {
		return st, nil
	}
	return nil, badData("Only Struct objects supported for [%s], found: %s", purpose, found(s, v))
}

func found(s *data.Schema, v data.Value) string {
	if v.IsNull() {
		return "null"
	}
	return converter.JavaClass(s, v)
}

// JavaRegex takes java.util.regex patterns: RegexValidator. What Java takes and Sluice does not is refused with
// the reason.
func JavaRegex() configdef.Validator {
	return configdef.Func("valid regex", func(name string, value *string) error {
		if value == nil {
			return configdef.Invalid(name, "null", "Invalid regex: there is none")
		}
		if _, err := javaregex.Compile(*value); err != nil {
			return configdef.Invalid(name, *value, "Invalid regex: "+err.Error())
		}
		return nil
	})
}
