package s3

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/builtin/s3/format"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// The classes that configs name.
const (
	storageClass     = "io.confluent.connect.s3.storage.S3Storage"
	jsonFormat       = "io.confluent.connect.s3.format.json.JsonFormat"
	avroFormat       = "io.confluent.connect.s3.format.avro.AvroFormat"
	parquetFormat    = "io.confluent.connect.s3.format.parquet.ParquetFormat"
	byteArrayFormat  = "io.confluent.connect.s3.format.bytearray.ByteArrayFormat"
	partitioners     = "io.confluent.connect.storage.partitioner."
	byDefault        = partitioners + "DefaultPartitioner"
	byField          = partitioners + "FieldPartitioner"
	byTime           = partitioners + "TimeBasedPartitioner"
	byDay            = partitioners + "DailyPartitioner"
	byHour           = partitioners + "HourlyPartitioner"
	extractors       = partitioners + "TimeBasedPartitioner$"
	extractorSuffix  = "TimestampExtractor"
	defaultChain     = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
	oldDefaultChain  = "com.amazonaws.auth.DefaultAWSCredentialsProviderChain"
	assumeRole       = "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider"
	lineSeparator    = "\n"
	defaultPartSize  = 25 << 20
	minPartSize      = 5 << 20
	defaultBufferMax = 128 << 20
)

// The keys that the code names.
const (
	formatClassKey     = "format.class"
	flushSizeKey       = "flush.size"
	rotateKey          = "rotate.interval.ms"
	scheduleKey        = "rotate.schedule.interval.ms"
	onPartitionKey     = "rotate.file.on.partition.change"
	maxOpenKey         = "partitioner.max.open.files"
	retryBackoffKey    = "retry.backoff.ms"
	zeroPadKey         = "filename.offset.zero.pad.width"
	avroCodecKey       = "avro.codec"
	parquetCodecKey    = "parquet.codec"
	metaDataKey        = "connect.meta.data"
	compatibilityKey   = "schema.compatibility"
	bucketKey          = "s3.bucket.name"
	regionKey          = "s3.region"
	partSizeKey        = "s3.part.size"
	providerKey        = "s3.credentials.provider.class"
	roleARNKey         = "s3.credentials.provider.sts.role.arn"
	roleSessionKey     = "s3.credentials.provider.sts.role.session.name"
	roleExternalKey    = "s3.credentials.provider.sts.role.external.id"
	accessKey          = "aws.access.key.id"
	secretKey          = "aws.secret.access.key"
	encryptionKey      = "s3.ssea.name"
	kmsKey             = "s3.sse.kms.key.id"
	aclKey             = "s3.acl.canned"
	accelerateKey      = "s3.wan.mode"
	compressionKey     = "s3.compression.type"
	levelKey           = "s3.compression.level"
	retriesKey         = "s3.part.retries"
	s3BackoffKey       = "s3.retry.backoff.ms"
	bytesExtensionKey  = "format.bytearray.extension"
	bytesSeparatorKey  = "format.bytearray.separator"
	proxyKey           = "s3.proxy.url"
	proxyUserKey       = "s3.proxy.user"
	proxyPasswordKey   = "s3.proxy.password"
	nullsKey           = "behavior.on.null.values"
	reportNullsKey     = "report.null.values.to.dlq"
	pathStyleKey       = "s3.path.style.access.enabled"
	decimalsKey        = "json.decimal.format"
	storageKey         = "storage.class"
	topicsDirKey       = "topics.dir"
	storeURLKey        = "store.url"
	dirDelimKey        = "directory.delim"
	fileDelimKey       = "file.delim"
	partitionerKey     = "partitioner.class"
	fieldNameKey       = "partition.field.name"
	durationKey        = "partition.duration.ms"
	pathFormatKey      = "path.format"
	localeKey          = "locale"
	timezoneKey        = "timezone"
	extractorKey       = "timestamp.extractor"
	timestampFieldKey  = "timestamp.field"
	rotateBytesKey     = "sluice.s3.rotate.bytes"
	bufferKey          = "sluice.s3.buffer.bytes"
	requestTimeoutKey  = "sluice.s3.request.timeout.ms"
	requestTimeoutText = "60000"
)

// sinkDef are the keys of the Confluent S3 sink, and Sluice's own.
func sinkDef() *configdef.Def {
	d := configdef.New()
	connectorKeys(d)
	s3Keys(d)
	storageKeys(d)
	partitionerKeys(d)
	sluiceKeys(d)
	return d
}

var text = configdef.Text

func connectorKeys(d *configdef.Def) {
	key := func(k configdef.Key) { base.Define(d, "Connector", k) }
	key(configdef.Key{Name: formatClassKey, Type: configdef.Class, Required: true, Importance: configdef.High, Validator: oneOf("format", jsonFormat, avroFormat, parquetFormat, byteArrayFormat),
		Doc: "The format of the files."})
	key(configdef.Key{Name: flushSizeKey, Type: configdef.Int, Required: true, Importance: configdef.High, Validator: configdef.AtLeast(1),
		Doc: "After so many records of a topic's partition its files are cut and uploaded."})
	key(configdef.Key{Name: rotateKey, Type: configdef.Long, Default: text("-1"), Importance: configdef.High,
		Doc: "Files are cut before a record whose time, as timestamp.extractor says, is so many milliseconds after that of their first record. It takes a partitioner by time, and a next record: files of a topic that falls silent stay open. -1 is off."})
	key(configdef.Key{Name: scheduleKey, Type: configdef.Long, Default: text("-1"), Importance: configdef.Medium,
		Doc: "Files are cut at every multiple of so many milliseconds after midnight in timezone, by the wall clock: this is at least once. -1 is off."})
	key(configdef.Key{Name: onPartitionKey, Type: configdef.Boolean, Default: text("true"),
		Doc: "With rotate.interval.ms, files are cut also before a record that belongs into another directory than the one before it."})
	key(configdef.Key{Name: maxOpenKey, Type: configdef.Int, Default: text("-1"), Validator: unlimitedOrAtLeastOne(),
		Doc: "The most files that one topic's partition has open: before a record that would need one more, they are cut. -1 is no bound."})
	key(configdef.Key{Name: zeroPadKey, Type: configdef.Int, Default: text("10"), Validator: configdef.Between(0, 20),
		Doc: "Offsets in names are padded with zeros to so many digits."})
	key(configdef.Key{Name: retryBackoffKey, Type: configdef.Long, Default: text("5000"), Validator: configdef.AtLeast(0),
		Doc: "How long to wait, in milliseconds, before a batch is put again that could not be uploaded after s3.part.retries."})
	key(configdef.Key{Name: avroCodecKey, Type: configdef.String, Default: text("null"), Validator: configdef.In("null", "deflate", "snappy", "zstandard"),
		Doc: "How blocks of Avro files are compressed."})
	key(configdef.Key{Name: parquetCodecKey, Type: configdef.String, Default: text("snappy"), Validator: configdef.In("none", "uncompressed", "gzip", "snappy", "zstd", "lz4_raw", "brotli"),
		Doc: "How pages of Parquet files are compressed."})
	key(configdef.Key{Name: metaDataKey, Type: configdef.Boolean, Default: text("true"),
		Doc: "Whether Avro schemas carry names, versions, parameters and docs of Connect's schemas, as connect.* properties."})
	key(configdef.Key{Name: nullsKey, Type: configdef.String, Default: text("fail"), Validator: nulls(),
		Doc: "What becomes of records without a value (tombstones): ignore leaves them out, fail fails the task."})
	key(configdef.Key{Name: reportNullsKey, Type: configdef.Boolean, Default: text("true"),
		Doc: "With behavior.on.null.values=ignore, records without a value go to the dead letter queue, where there is one."})
	key(configdef.Key{Name: compatibilityKey, Type: configdef.String, Default: text("NONE"), Importance: configdef.High, Validator: configdef.In("NONE", "BACKWARD", "FORWARD", "FULL"),
		Doc: "Which records share a file. NONE: those of one schema. Else records of several versions do: with BACKWARD and FULL, older ones are written with the newest schema of the file, and a newer version cuts it; with FORWARD, newer ones are written with the oldest."})
	ignored(d, "Connector", "schema.cache.size", configdef.Int, "1000")
	ignored(d, "Connector", "shutdown.timeout.ms", configdef.Long, "3000")
	ignored(d, "Connector", "max.write.duration.ms", configdef.Long, fmt.Sprint(int64(math.MaxInt64)))
	ignored(d, "Connector", "enhanced.avro.schema.support", configdef.Boolean, "true")
	ignored(d, "Connector", "allow.optional.map.keys", configdef.Boolean, "false")
	refused(d, "Connector", "store.kafka.keys", "false", "only values are written")
	refused(d, "Connector", "store.kafka.headers", "false", "only values are written")
}

func s3Keys(d *configdef.Def) {
	key := func(k configdef.Key) { base.Define(d, "S3", k) }
	key(configdef.Key{Name: bucketKey, Type: configdef.String, Required: true, Importance: configdef.High, Validator: bucketName(), Doc: "The bucket. It has to be there."})
	key(configdef.Key{Name: regionKey, Type: configdef.String, Default: text("us-west-2"), Importance: configdef.Medium, Validator: configdef.NonEmpty(), Doc: "The bucket's region."})
	key(configdef.Key{Name: partSizeKey, Type: configdef.Int, Default: text(fmt.Sprint(defaultPartSize)), Importance: configdef.High, Validator: configdef.Between(minPartSize, math.MaxInt32),
		Doc: "Files that grow beyond so many bytes are uploaded in parts of that size."})
	key(configdef.Key{Name: accessKey, Type: configdef.String, Default: text(""), Importance: configdef.High,
		Doc: "The access key's id. Without it, the SDK's default chain is asked: environment, shared files, web identity, container, instance."})
	key(configdef.Key{Name: secretKey, Type: configdef.Password, Importance: configdef.High, Doc: "The secret of the access key."})
	key(configdef.Key{Name: providerKey, Type: configdef.Class, Default: text(defaultChain), Validator: oneOf("credentials provider", defaultChain, oldDefaultChain, assumeRole),
		Doc: "Where credentials come from where no access key is given: the default chain, or a role that is assumed by STS."})
	key(configdef.Key{Name: roleARNKey, Type: configdef.String, Default: text(""), Doc: "The role to assume, for " + assumeRole + "."})
	key(configdef.Key{Name: roleSessionKey, Type: configdef.String, Default: text(""), Doc: "The session's name for the role."})
	key(configdef.Key{Name: roleExternalKey, Type: configdef.String, Default: text(""), Doc: "The external id for the role."})
	key(configdef.Key{Name: encryptionKey, Type: configdef.String, Default: text(""), Validator: configdef.In("", "AES256", "aws:kms", "aws:kms:dsse"), Doc: "Server-side encryption; empty is what the bucket does by itself."})
	key(configdef.Key{Name: kmsKey, Type: configdef.String, Default: text(""), Doc: "The key of aws:kms."})
	key(configdef.Key{Name: aclKey, Type: configdef.String, Validator: configdef.OrNull(configdef.In("private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control")),
		Doc: "A canned ACL for the objects."})
	key(configdef.Key{Name: accelerateKey, Type: configdef.Boolean, Default: text("false"), Doc: "Whether to use S3's accelerated endpoint."})
	key(configdef.Key{Name: pathStyleKey, Type: configdef.Boolean, Default: text("true"), Doc: "Whether the bucket is in the path of URLs, and not in their host."})
	key(configdef.Key{Name: compressionKey, Type: configdef.String, Default: text("none"), Validator: lower(format.Compressions()...),
		Doc: "How files of JsonFormat and ByteArrayFormat are compressed. Avro and Parquet have avro.codec and parquet.codec. zstd and snappy are Sluice's own."})
	key(configdef.Key{Name: levelKey, Type: configdef.Int, Default: text("-1"), Validator: configdef.Between(-1, 9), Doc: "The level of gzip; -1 is its default."})
	key(configdef.Key{Name: retriesKey, Type: configdef.Int, Default: text("3"), Importance: configdef.Medium, Validator: configdef.AtLeast(0),
		Doc: "How often a request to S3 is tried again before the batch as a whole is, after retry.backoff.ms."})
	key(configdef.Key{Name: s3BackoffKey, Type: configdef.Long, Default: text("200"), Validator: configdef.AtLeast(0), Doc: "The pause before the first retry of a request, in milliseconds. It doubles with each."})
	key(configdef.Key{Name: bytesExtensionKey, Type: configdef.String, Default: text(".bin"), Doc: "The extension of files of ByteArrayFormat."})
	key(configdef.Key{Name: bytesSeparatorKey, Type: configdef.String, Doc: "What follows each record in files of ByteArrayFormat: a line feed where nothing is said. Taken as it is, also where it is white space."})
	key(configdef.Key{Name: decimalsKey, Type: configdef.String, Default: text("BASE64"), Validator: configdef.InIgnoreCase("BASE64", "NUMERIC"), Doc: "How JsonFormat writes decimals."})
	key(configdef.Key{Name: proxyKey, Type: configdef.String, Default: text(""), Validator: urlOrEmpty(), Doc: "The URL of a proxy to S3."})
	key(configdef.Key{Name: proxyUserKey, Type: configdef.String, Doc: "The proxy's user."})
	key(configdef.Key{Name: proxyPasswordKey, Type: configdef.Password, Doc: "The proxy's password."})
	ignored(d, "S3", "s3.send.digest", configdef.Boolean, "false")
	ignored(d, "S3", "s3.http.send.expect.continue", configdef.Boolean, "true")
	ignored(d, "S3", "s3.elastic.buffer.enable", configdef.Boolean, "false")
	ignored(d, "S3", "s3.elastic.buffer.init.capacity", configdef.Int, "131072")
	ignored(d, "S3", "enable.conditional.writes", configdef.Boolean, "true")
	ignored(d, "S3", "max.files.scan.limit", configdef.Int, "100")
	refused(d, "S3", "s3.object.tagging", "false", "objects are not tagged")
	refused(d, "S3", "s3.schema.partition.affix.type", "NONE", "names of schemas are no part of an object's name")
	base.Define(d, "S3", configdef.Key{Name: "s3.sse.customer.key", Type: configdef.Password, Validator: configdef.Func("not set", func(name string, value *string) error {
		if value == nil || *value == "" {
			return nil
		}
		return configdef.Invalid(name, configdef.Hidden, "encryption with a key of one's own is not supported: s3.ssea.name=aws:kms is")
	}), Doc: "Not supported."})
}

func storageKeys(d *configdef.Def) {
	key := func(k configdef.Key) { base.Define(d, "Storage", k) }
	key(configdef.Key{Name: storageKey, Type: configdef.Class, Default: text(storageClass), Validator: oneOf("storage", storageClass), Doc: "There is only S3."})
	key(configdef.Key{Name: topicsDirKey, Type: configdef.String, Default: text("topics"), Importance: configdef.High, Doc: "What names of objects begin with; empty for none."})
	key(configdef.Key{Name: storeURLKey, Type: configdef.String, Importance: configdef.High, Validator: configdef.OrNull(urlOrEmpty()), Doc: "The URL of the service, where it is not Amazon's."})
	key(configdef.Key{Name: dirDelimKey, Type: configdef.String, Default: text("/"), Importance: configdef.Medium, Doc: "What stands between directories in names."})
	key(configdef.Key{Name: fileDelimKey, Type: configdef.String, Default: text("+"), Importance: configdef.Medium, Doc: "What stands between topic, partition and offset in names."})
}

func partitionerKeys(d *configdef.Def) {
	key := func(k configdef.Key) { base.Define(d, "Partitioner", k) }
	key(configdef.Key{Name: partitionerKey, Type: configdef.Class, Default: text(byDefault), Importance: configdef.High, Validator: oneOf("partitioner", byDefault, byField, byTime, byDay, byHour),
		Doc: "Into which directory of its topic a record goes: one for each of Kafka's partitions, or by fields, or by time."})
	key(configdef.Key{Name: fieldNameKey, Type: configdef.List, Default: text(""), Importance: configdef.Medium, Doc: "The fields of FieldPartitioner; dots lead into structs."})
	key(configdef.Key{Name: durationKey, Type: configdef.Long, Default: text("-1"), Importance: configdef.Medium, Doc: "How much time TimeBasedPartitioner has share a directory, in milliseconds."})
	key(configdef.Key{Name: pathFormatKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "The directories of TimeBasedPartitioner, in Joda-Time's letters, as 'year'=YYYY/'month'=MM/'day'=dd."})
	key(configdef.Key{Name: localeKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "The language of months and days in path.format. Only English names are there; others are refused where path.format has names."})
	key(configdef.Key{Name: timezoneKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Validator: timezone(), Doc: "The time zone of path.format and rotate.schedule.interval.ms, as Europe/Berlin, UTC or +02:00."})
	key(configdef.Key{Name: extractorKey, Type: configdef.String, Default: text("Wallclock"), Importance: configdef.Medium, Validator: extractorName(),
		Doc: "A record's time for partitioners by time and rotate.interval.ms: Wallclock (when it is written: at least once), Record (its timestamp), RecordField (timestamp.field)."})
	key(configdef.Key{Name: timestampFieldKey, Type: configdef.String, Default: text("timestamp"), Importance: configdef.Medium, Doc: "The field of RecordField: milliseconds, a Timestamp, or a text of ISO 8601. Dots lead into structs."})
}

func sluiceKeys(d *configdef.Def) {
	key := func(k configdef.Key) { base.Define(d, "Sluice", k) }
	key(configdef.Key{Name: rotateBytesKey, Type: configdef.Long, Default: text("-1"), Validator: unlimitedOrAtLeastOne(),
		Doc: "Files of a topic's partition are cut once their records have so many bytes before compression. -1 is off."})
	key(configdef.Key{Name: bufferKey, Type: configdef.Long, Default: text(fmt.Sprint(defaultBufferMax)), Validator: configdef.AtLeast(1 << 20),
		Doc: "The most memory that the open files of a task take together, in bytes; beyond it they are kept in files of the system's directory for temporary ones until they are uploaded."})
	key(configdef.Key{Name: requestTimeoutKey, Type: configdef.Int, Default: text(requestTimeoutText), Validator: configdef.AtLeast(100), Doc: "How long one attempt of a request to S3 may take, in milliseconds."})
}

// ignored are keys that change nothing here.
func ignored(d *configdef.Def, group, name string, typ configdef.Type, def string) {
	base.Define(d, group, configdef.Key{Name: name, Type: typ, Default: text(def), Doc: "Taken, and without effect: it tunes what is done otherwise here."})
}

// refused are keys that would change what is written, and cannot.
func refused(d *configdef.Def, group, name, only, why string) {
	base.Define(d, group, configdef.Key{Name: name, Type: configdef.String, Default: text(only), Validator: configdef.Func(only, func(name string, value *string) error {
		if value == nil || strings.EqualFold(*value, only) {
			return nil
		}
		return configdef.Invalid(name, *value, "not supported: "+why+". Leave it out, or set "+only)
	}), Doc: "Not supported: " + why + "."})
}

// oneOf takes the classes that there are, and says of others that they are not supported.
func oneOf(what string, classes ...string) configdef.Validator {
	return configdef.Func("["+strings.Join(classes, ", ")+"]", func(name string, value *string) error {
		if value == nil || slices.Contains(classes, *value) {
			return nil
		}
		return configdef.Invalid(name, *value, "this "+what+" is not supported. There are: "+strings.Join(classes, ", "))
	})
}

// nulls takes what may become of records without a value.
func nulls() configdef.Validator {
	known := lower("ignore", "fail")
	return configdef.Func(known.String(), func(name string, value *string) error {
		if value != nil && strings.EqualFold(*value, "write") {
			return configdef.Invalid(name, *value, "not supported: only values are written, and these have none. Set ignore or fail")
		}
		return known.Check(name, value)
	})
}

// lower takes texts in any case.
func lower(valid ...string) configdef.Validator { return configdef.InIgnoreCase(valid...) }
