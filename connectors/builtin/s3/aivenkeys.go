package s3

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/builtin/s3/format"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// The keys of Aiven's S3 sink.
const (
	aBucketKey       = "aws.s3.bucket.name"
	aRegionKey       = "aws.s3.region"
	aEndpointKey     = "aws.s3.endpoint"
	aPrefixKey       = "aws.s3.prefix"
	aPartSizeKey     = "aws.s3.part.size.bytes"
	aEncryptionKey   = "aws.s3.sse.algorithm"
	aProviderKey     = "aws.credentials.provider"
	aRoleARNKey      = "aws.sts.role.arn"
	aRoleExternalKey = "aws.sts.role.external.id"
	aRoleSessionKey  = "aws.sts.role.session.name"
	aRoleDurationKey = "aws.sts.role.session.duration"
	aSTSEndpointKey  = "aws.sts.config.endpoint"
	aBackoffKey      = "aws.s3.backoff.delay.ms"
	aMaxBackoffKey   = "aws.s3.backoff.max.delay.ms"
	aRetriesKey      = "aws.s3.backoff.max.retries"
	aRetryAfterKey   = "kafka.retry.backoff.ms"
	templateKey      = "file.name.template"
	aPrefixTemplate  = "file.prefix.template"
	aCompressionKey  = "file.compression.type"
	maxRecordsKey    = "file.max.records"
	aZoneKey         = "file.name.timestamp.timezone"
	aSourceKey       = "file.name.timestamp.source"
	oldZoneKey       = "timestamp.timezone"
	oldSourceKey     = "timestamp.source"
	outputTypeKey    = "format.output.type"
	outputFieldsKey  = "format.output.fields"
	encodingKey      = "format.output.fields.value.encoding"
	envelopeKey      = "format.output.envelope"
)

// aivenRegion is the region where none is said.
const aivenRegion = "us-east-1"

// aivenDef are the keys of Aiven's S3 sink, and Sluice's own.
func aivenDef() *configdef.Def {
	d := configdef.New()
	aws := func(k configdef.Key) { base.Define(d, "AWS", k) }
	aws(configdef.Key{Name: aBucketKey, Type: configdef.String, Required: true, Importance: configdef.High, Validator: bucketName(), Doc: "The bucket. It has to be there."})
	aws(configdef.Key{Name: aRegionKey, Type: configdef.String, Default: text(aivenRegion), Importance: configdef.Medium, Validator: configdef.NonEmpty(), Doc: "The bucket's region."})
	aws(configdef.Key{Name: aEndpointKey, Type: configdef.String, Validator: configdef.OrNull(urlOrEmpty()), Doc: "The URL of the service, where it is not Amazon's."})
	aws(configdef.Key{Name: accessKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "The access key's id. Without it and a role, the SDK's default chain is asked."})
	aws(configdef.Key{Name: secretKey, Type: configdef.Password, Importance: configdef.Medium, Doc: "The secret of the access key."})
	aws(configdef.Key{Name: aProviderKey, Type: configdef.Class, Default: text(oldDefaultChain), Validator: oneOf("credentials provider", oldDefaultChain, defaultChain), Doc: "Where credentials come from where none are given: the default chain."})
	aws(configdef.Key{Name: aEncryptionKey, Type: configdef.String, Validator: configdef.OrNull(configdef.In("", "AES256", "aws:kms", "aws:kms:dsse")), Doc: "Server-side encryption; without it, what the bucket does by itself."})
	aws(configdef.Key{Name: aPrefixKey, Type: configdef.String, Default: text(""), Validator: noVariables("the prefix is taken as it is; file.name.template has variables"), Doc: "What names of objects begin with."})
	aws(configdef.Key{Name: aPartSizeKey, Type: configdef.Int, Default: text(fmt.Sprint(minPartSize)), Importance: configdef.Medium, Validator: configdef.Between(minPartSize, 2_000_000_000),
		Doc: "Files that grow beyond so many bytes are uploaded in parts of that size. S3's own bound is 5 MiB."})
	aws(configdef.Key{Name: aRoleARNKey, Type: configdef.String, Default: text(""), Doc: "A role to assume by STS."})
	aws(configdef.Key{Name: aRoleSessionKey, Type: configdef.String, Default: text(""), Doc: "The session's name for the role."})
	aws(configdef.Key{Name: aRoleExternalKey, Type: configdef.String, Default: text(""), Doc: "The external id for the role."})
	aws(configdef.Key{Name: aRoleDurationKey, Type: configdef.Int, Default: text("3600"), Validator: configdef.Between(900, 43200), Doc: "How long a session of the role lasts, in seconds."})
	aws(configdef.Key{Name: aSTSEndpointKey, Type: configdef.String, Validator: configdef.OrNull(urlOrEmpty()), Doc: "The URL of STS, where it is not Amazon's."})
	aws(configdef.Key{Name: aBackoffKey, Type: configdef.Long, Default: text("100"), Validator: configdef.AtLeast(1), Doc: "The pause before the first retry of a request, in milliseconds. It doubles with each."})
	aws(configdef.Key{Name: aMaxBackoffKey, Type: configdef.Long, Default: text("20000"), Validator: configdef.AtLeast(1), Doc: "The longest pause between retries of a request, in milliseconds."})
	aws(configdef.Key{Name: aRetriesKey, Type: configdef.Int, Default: text("3"), Validator: configdef.Between(0, 30), Doc: "How often a request is tried again before the batch as a whole is."})
	aws(configdef.Key{Name: aRetryAfterKey, Type: configdef.Long, Validator: configdef.OrNull(configdef.Between(0, 86_400_000)), Doc: "How long to wait, in milliseconds, before a batch is put again that could not be uploaded: 5000 where nothing is said."})
	file := func(k configdef.Key) { base.Define(d, "File", k) }
	file(configdef.Key{Name: templateKey, Type: configdef.String, Importance: configdef.Medium, Validator: configdef.OrNull(templateValidator()),
		Doc: "An object's name: {{topic}}, {{partition}} and {{start_offset}}, which take :padding=true, all three, and {{timestamp:unit=yyyy}} (MM, dd, HH). Without it {{topic}}-{{partition}}-{{start_offset}} and the compression's extension."})
	file(configdef.Key{Name: aCompressionKey, Type: configdef.String, Default: text("gzip"), Importance: configdef.Medium, Validator: lower(format.Compressions()...),
		Doc: "How files are compressed. Parquet's pages are, and Avro's blocks by avro.codec."})
	file(configdef.Key{Name: maxRecordsKey, Type: configdef.Int, Default: text("0"), Importance: configdef.Medium, Validator: configdef.AtLeast(0), Doc: "After so many records a file is cut. All are cut whenever offsets are committed (offset.flush.interval.ms), too. 0 is no bound."})
	file(configdef.Key{Name: aZoneKey, Type: configdef.String, Default: text("Z"), Validator: timezone(), Doc: "The time zone of {{timestamp}}, as Europe/Berlin, UTC or +02:00."})
	file(configdef.Key{Name: aSourceKey, Type: configdef.String, Default: text("WALLCLOCK"), Validator: lower("wallclock", "event"), Doc: "The time of {{timestamp}}: when a record is written, or its own."})
	file(configdef.Key{Name: oldZoneKey, Type: configdef.String, Validator: configdef.OrNull(timezone()), Doc: "The older name of file.name.timestamp.timezone."})
	file(configdef.Key{Name: oldSourceKey, Type: configdef.String, Validator: configdef.OrNull(lower("wallclock", "event")), Doc: "The older name of file.name.timestamp.source."})
	refusedText(d, "File", aPrefixTemplate, "say it in file.name.template")
	form := func(k configdef.Key) { base.Define(d, "Format", k) }
	form(configdef.Key{Name: outputTypeKey, Type: configdef.String, Default: text("csv"), Importance: configdef.Medium, Validator: lower("avro", "csv", "json", "jsonl", "parquet"), Doc: "The format of the files: JSON is one array, JSONL one value a line."})
	form(configdef.Key{Name: outputFieldsKey, Type: configdef.List, Default: text("value"), Importance: configdef.Medium, Validator: configdef.NonEmptyListIn("key", "value", "offset", "timestamp", "headers"),
		Doc: "What of a record is written, in this order. Avro and Parquet have no headers."})
	form(configdef.Key{Name: encodingKey, Type: configdef.String, Default: text("base64"), Importance: configdef.Medium, Validator: lower("base64", "none"), Doc: "How CSV writes values."})
	form(configdef.Key{Name: envelopeKey, Type: configdef.Boolean, Default: text("true"), Importance: configdef.Medium, Doc: "Whether a single field is an object with that field, or is written as it is. CSV has no envelope."})
	form(configdef.Key{Name: avroCodecKey, Type: configdef.String, Default: text("null"), Validator: configdef.In("null", "deflate", "snappy", "zstandard"), Doc: "How blocks of Avro files are compressed."})
	for _, old := range []string{"aws_access_key_id", "aws_secret_access_key", "aws_s3_bucket", "aws_s3_endpoint", "aws_s3_region", "aws_s3_prefix", "output_compression", "output_fields"} {
		refusedText(d, "Deprecated", old, "Aiven's documentation has a new name for it: write that")
	}
	sluiceKeys(d)
	return d
}

// refusedText are keys that are not supported at all.
func refusedText(d *configdef.Def, group, name, why string) {
	base.Define(d, group, configdef.Key{Name: name, Type: configdef.Password, Validator: configdef.Func("not set", func(name string, value *string) error {
		if value == nil || *value == "" {
			return nil
		}
		return configdef.Invalid(name, configdef.Hidden, "not supported: "+why)
	}), Doc: "Not supported: " + why + "."})
}

func noVariables(why string) configdef.Validator {
	return configdef.Func("a text without {{", func(name string, value *string) error {
		if value != nil && strings.Contains(*value, "{{") {
			return configdef.Invalid(name, *value, "not supported: "+why)
		}
		return nil
	})
}

func templateValidator() configdef.Validator {
	return configdef.Func("a template with topic, partition and start_offset", func(name string, value *string) error {
		if value == nil {
			return nil
		}
		if _, err := newTemplate(*value); err != nil {
			return configdef.Invalid(name, *value, err.Error())
		}
		return nil
	})
}

// checkAiven is what spans several keys.
func checkAiven(v configdef.Values, fail func(key, message string)) {
	if (v.String(accessKey) == "") != (v.Password(secretKey) == "") {
		fail(secretKey, fmt.Sprintf("%s and %s are given together, or neither", accessKey, secretKey))
	}
	invalid := func(key, why string) { fail(key, configdef.Invalid(key, v.String(key), why).Error()) }
	list := v.List(outputFieldsKey)
	if !v.Bool(envelopeKey) && len(list) != 1 {
		invalid(envelopeKey, "without the envelope there is one field: correct "+outputFieldsKey)
	}
	switch strings.ToLower(v.String(outputTypeKey)) {
	case "avro", "parquet":
		if slices.Contains(list, string(format.Headers)) {
			invalid(outputFieldsKey, "headers are not supported for "+outputTypeKey+"="+v.String(outputTypeKey))
		}
		if !v.Bool(envelopeKey) && len(list) == 1 && list[0] != string(format.Value) {
			invalid(outputFieldsKey, "without the envelope, Avro and Parquet take the value alone")
		}
	}
}
