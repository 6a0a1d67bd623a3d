package s3

import (
	"fmt"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
)

// check is what spans several keys. A key that is not valid by itself is null here.
func check(v configdef.Values, fail func(key, message string)) {
	invalid := func(key, why string) { fail(key, configdef.Invalid(key, v.String(key), why).Error()) }
	if (v.String(accessKey) == "") != (v.Password(secretKey) == "") {
		fail(secretKey, fmt.Sprintf("%s and %s are given together, or neither", accessKey, secretKey))
	}
	if v.String(providerKey) == assumeRole && v.String(roleARNKey) == "" {
		invalid(roleARNKey, providerKey+"="+assumeRole+" needs the role's ARN")
	}
	if v.Long(scheduleKey) > 0 && v.String(timezoneKey) == "" {
		invalid(timezoneKey, scheduleKey+" needs a time zone, as UTC")
	}
	switch v.String(partitionerKey) {
	case byField:
		if len(v.List(fieldNameKey)) == 0 {
			invalid(fieldNameKey, "FieldPartitioner needs the names of fields")
		}
		for _, name := range v.List(fieldNameKey) {
			if name == "" || strings.Contains("."+name+".", "..") {
				invalid(fieldNameKey, "a field without a name is in it")
			}
		}
	case byTime:
		if v.Long(durationKey) <= 0 {
			invalid(durationKey, "TimeBasedPartitioner needs a duration above 0")
		}
		if p := v.String(pathFormatKey); p == "" || p == v.String(dirDelimKey) {
			invalid(pathFormatKey, "TimeBasedPartitioner needs a pattern, as 'year'=YYYY/'month'=MM/'day'=dd")
		}
		checkTime(v, invalid)
	case byDay, byHour:
		checkTime(v, invalid)
	}
}

func checkTime(v configdef.Values, invalid func(key, why string)) {
	if v.String(timezoneKey) == "" {
		invalid(timezoneKey, "partitioners by time need a time zone, as UTC")
	}
	if v.String(localeKey) == "" {
		invalid(localeKey, "partitioners by time need a locale, as en-US")
	}
	if extractor(v.String(extractorKey)) == recordField && v.String(timestampFieldKey) == "" {
		invalid(timestampFieldKey, extractorKey+"=RecordField needs the name of a field")
	}
	if v.String(partitionerKey) != byTime || v.String(pathFormatKey) == "" {
		return
	}
	z, err := zone(v.String(timezoneKey))
	if err != nil {
		return // said of the key already
	}
	if _, err := newTimePath(v.String(pathFormatKey), 1, z); err != nil {
		invalid(pathFormatKey, err.Error())
	}
	if l := strings.ToLower(v.String(localeKey)); hasNames(v.String(pathFormatKey)) && l != "en" && !strings.HasPrefix(l, "en-") && !strings.HasPrefix(l, "en_") {
		invalid(localeKey, "only English names of months and days are there: write numbers in "+pathFormatKey+", or set en-US")
	}
}
