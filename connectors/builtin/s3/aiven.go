package s3

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/s3/format"
	"github.com/sluice-project/sluice/connectors/builtin/s3/store"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// defaultTemplate is file.name.template where none is given, without the extension.
const defaultTemplate = "{{topic}}-{{partition}}-{{start_offset}}"

// parseAiven reads a config of Aiven's sink.
func parseAiven(config map[string]string) (*settings, error) {
	v, err := aivenDef().Parse(config)
	if err != nil {
		return nil, err
	}
	var faults []error
	checkAiven(v, func(_, message string) { faults = append(faults, fmt.Errorf("%s", message)) })
	if len(faults) > 0 {
		return nil, faults[0]
	}
	s := &settings{
		store: store.Config{Bucket: v.String(aBucketKey), Region: v.String(aRegionKey), Endpoint: v.String(aEndpointKey), PathStyle: v.String(aEndpointKey) != "",
			AccessKey: v.String(accessKey), Secret: v.Password(secretKey), PartSize: v.Long(aPartSizeKey),
			Role: store.Role{ARN: v.String(aRoleARNKey), Session: v.String(aRoleSessionKey), ExternalID: v.String(aRoleExternalKey), Endpoint: v.String(aSTSEndpointKey),
				Duration: time.Duration(v.Long(aRoleDurationKey)) * time.Second},
			Retries: v.Int(aRetriesKey), Backoff: millis(v, aBackoffKey), MaxBackoff: millis(v, aMaxBackoffKey), Timeout: millis(v, requestTimeoutKey),
			Encryption: v.String(aEncryptionKey),
			Names:      store.Names{Bucket: aBucketKey, Region: aRegionKey, Endpoint: aEndpointKey, Credentials: accessKey + " and " + secretKey}},
		records: v.Int(maxRecordsKey), bytes: max(0, v.Long(rotateBytesKey)), atCommit: true, writeNulls: true,
		compatibility: sameSchema, retryAfter: 5 * time.Second, memory: v.Long(bufferKey), requestsDeadline: millis(v, requestTimeoutKey),
		atLeastOnce: "files are cut whenever offsets are committed",
	}
	if v.Has(aRetryAfterKey) {
		s.retryAfter = millis(v, aRetryAfterKey)
	}
	s.format = aivenFormat(v)
	return s, s.template(v)
}

// template has objects named by file.name.template.
func (s *settings) template(v configdef.Values) error {
	zoneName, source := v.String(aZoneKey), v.String(aSourceKey)
	if v.Has(oldZoneKey) {
		zoneName = v.String(oldZoneKey)
	}
	if v.Has(oldSourceKey) {
		source = v.String(oldSourceKey)
	}
	var err error
	if s.zone, err = zone(zoneName); err != nil {
		return err
	}
	text := v.String(templateKey)
	if !v.Has(templateKey) {
		text = defaultTemplate + extension(v)
	}
	t, err := newTemplate(text)
	if err != nil {
		return err
	}
	prefix := v.String(aPrefixKey)
	s.name = func(tp connectors.TopicPartition, times string, start int64) string {
		return prefix + t.name(tp, times, start)
	}
	s.partition = t.times(s.zone)
	if t.timed {
		s.extract = byWallclock
		if strings.EqualFold(source, "event") {
			s.extract = byTimestamp
		}
	}
	return nil
}

// extension is that of names without a template: Aiven's do not name the format, but for Avro.
func extension(v configdef.Values) string {
	if strings.EqualFold(v.String(outputTypeKey), "avro") {
		return ".avro"
	}
	return format.Compression(strings.ToLower(v.String(aCompressionKey))).Extension()
}

func aivenFormat(v configdef.Values) format.Format {
	var list []format.Field
	for _, f := range v.List(outputFieldsKey) {
		list = append(list, format.Field(f))
	}
	envelope := v.Bool(envelopeKey)
	enveloped := func(f format.Format) format.Format {
		if !envelope {
			return f
		}
		return format.Enveloped(f, list)
	}
	how := format.Compression(strings.ToLower(v.String(aCompressionKey)))
	switch strings.ToLower(v.String(outputTypeKey)) {
	case "avro":
		return enveloped(format.Avro(v.String(avroCodecKey), false))
	case "parquet":
		return enveloped(format.Parquet(string(how)))
	case "json":
		return format.Compressed(format.Objects(list, envelope, true), how, -1)
	case "jsonl":
		return format.Compressed(format.Objects(list, envelope, false), how, -1)
	}
	return format.Compressed(format.CSV(list, strings.EqualFold(v.String(encodingKey), "base64")), how, -1)
}
