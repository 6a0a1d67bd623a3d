package s3

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	// Zones are there also where the system has none.
	_ "time/tzdata"

	"github.com/sluice-project/sluice/connectors/configdef"
)

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func bucketName() configdef.Validator {
	return configdef.Func("a name of 3 to 63 letters, digits, dots and dashes", func(name string, value *string) error {
		if value == nil || bucketPattern.MatchString(*value) {
			return nil
		}
		return configdef.Invalid(name, *value, "a bucket's name has 3 to 63 lower-case letters, digits, dots and dashes")
	})
}

func urlOrEmpty() configdef.Validator {
	return configdef.Func("a URL, as https://host:port", func(name string, value *string) error {
		if value == nil || *value == "" {
			return nil
		}
		u, err := url.Parse(*value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return configdef.Invalid(name, *value, "a URL as https://host:port is needed")
		}
		return nil
	})
}

func unlimitedOrAtLeastOne() configdef.Validator {
	return configdef.Func("-1, or [1,...]", func(name string, value *string) error {
		if value != nil && (*value == "0" || strings.HasPrefix(*value, "-") && *value != "-1") {
			return configdef.Invalid(name, *value, "-1, or at least 1, is needed")
		}
		return nil
	})
}

func timezone() configdef.Validator {
	return configdef.Func("a zone, as Europe/Berlin, UTC or +02:00", func(name string, value *string) error {
		if value == nil || *value == "" {
			return nil
		}
		if _, err := zone(*value); err != nil {
			return configdef.Invalid(name, *value, "no time zone is called so: a long name as Europe/Berlin, UTC, or an offset as +02:00 is needed")
		}
		return nil
	})
}

// zone is a time zone by its long name, or an offset.
func zone(name string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", name); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(name, offset), nil
	}
	if name == "Z" {
		return time.UTC, nil
	}
	if name == "Local" {
		return nil, errLocal
	}
	return time.LoadLocation(name)
}

// The extractors.
const (
	wallclock   = "Wallclock"
	ofRecord    = "Record"
	recordField = "RecordField"
)

// extractor is the short name of a timestamp extractor.
func extractor(name string) string {
	if class, ok := strings.CutPrefix(name, extractors); ok {
		return strings.TrimSuffix(class, extractorSuffix)
	}
	return name
}

func extractorName() configdef.Validator {
	return configdef.Func("[Wallclock, Record, RecordField]", func(name string, value *string) error {
		if value != nil {
			switch extractor(*value) {
			case wallclock, ofRecord, recordField:
			default:
				return configdef.Invalid(name, *value, "this extractor is not supported. There are: Wallclock, Record, RecordField")
			}
		}
		return nil
	})
}
