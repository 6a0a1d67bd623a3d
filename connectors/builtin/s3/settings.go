package s3

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/s3/format"
	"github.com/sluice-project/sluice/connectors/builtin/s3/store"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// settings are what a config says, of either class.
type settings struct {
	store  store.Config
	format format.Format
	// name is an object's, by the directory and the first offset.
	name func(tp connectors.TopicPartition, directory string, start int64) string
	// partition is the task's own.
	partition partitioner
	// extract is nil where nothing asks for a record's time.
	extract extract

	// When files are cut; 0 is never.
	records          int
	bytes            int64
	interval         time.Duration // of records' time
	onChange         bool          // of the directory, with an interval
	schedule         time.Duration // of the wall clock
	zone             *time.Location
	maxOpen          int
	atCommit         bool // whenever offsets are to be committed
	compatibility    compatibility
	skipNulls        bool
	reportNulls      bool
	writeNulls       bool // as any other value
	retryAfter       time.Duration
	memory           int64  // bytes that open files may take
	atLeastOnce      string // why it is not exactly once; empty where it is
	ineffective      string // what of the config has no effect, for the log
	requestsDeadline time.Duration
}

// maxBackoff bounds the pause between retries of a request.
const maxBackoff = 20 * time.Second

// parse reads a config that is valid.
func parse(config map[string]string) (*settings, error) {
	v, err := sinkDef().Parse(config)
	if err != nil {
		return nil, err
	}
	var faults []error
	check(v, func(key, message string) { faults = append(faults, fmt.Errorf("%s", message)) })
	if len(faults) > 0 {
		return nil, faults[0]
	}
	s := &settings{
		store: store.Config{Bucket: v.String(bucketKey), Region: v.String(regionKey), Endpoint: v.String(storeURLKey),
			PathStyle: v.Bool(pathStyleKey), Accelerate: v.Bool(accelerateKey),
			AccessKey: v.String(accessKey), Secret: v.Password(secretKey), PartSize: v.Long(partSizeKey),
			Retries: v.Int(retriesKey), Backoff: millis(v, s3BackoffKey), MaxBackoff: maxBackoff, Timeout: millis(v, requestTimeoutKey),
			Encryption: v.String(encryptionKey), KMSKey: v.String(kmsKey), ACL: v.String(aclKey),
			Names: store.Names{Bucket: bucketKey, Region: regionKey, Endpoint: storeURLKey, Credentials: accessKey + " and " + secretKey}},
		records: v.Int(flushSizeKey), bytes: max(0, v.Long(rotateBytesKey)), maxOpen: max(0, v.Int(maxOpenKey)),
		schedule: max(0, millis(v, scheduleKey)), compatibility: compatibility(v.String(compatibilityKey)),
		skipNulls: strings.EqualFold(v.String(nullsKey), "ignore"), reportNulls: v.Bool(reportNullsKey),
		retryAfter: millis(v, retryBackoffKey), memory: v.Long(bufferKey), requestsDeadline: millis(v, requestTimeoutKey),
	}
	if v.String(providerKey) == assumeRole {
		s.store.Role = store.Role{ARN: v.String(roleARNKey), Session: v.String(roleSessionKey), ExternalID: v.String(roleExternalKey)}
	}
	if s.store.Proxy, err = proxyOf(v); err != nil {
		return nil, err
	}
	if s.zone, err = zone(v.String(timezoneKey)); err != nil {
		return nil, err
	}
	s.names(v)
	if err := s.partitioning(v); err != nil {
		return nil, err
	}
	s.format, err = formatOf(v, config)
	if s.schedule > 0 {
		s.atLeastOnce = scheduleKey + " cuts files by the wall clock"
	}
	return s, err
}

func millis(v configdef.Values, key string) time.Duration {
	return time.Duration(v.Long(key)) * time.Millisecond
}

func proxyOf(v configdef.Values) (*url.URL, error) {
	if v.String(proxyKey) == "" {
		return nil, nil
	}
	u, err := url.Parse(v.String(proxyKey))
	if err == nil && v.String(proxyUserKey) != "" {
		u.User = url.UserPassword(v.String(proxyUserKey), v.Password(proxyPasswordKey))
	}
	return u, err
}

// names has objects named as the Confluent connector does:
// <topics.dir>/<topic>/<directory>/<topic>+<partition>+<start offset><extension>.
func (s *settings) names(v configdef.Values) {
	top, dir, file, width := v.String(topicsDirKey), v.String(dirDelimKey), v.String(fileDelimKey), v.Int(zeroPadKey)
	if strings.TrimSpace(top) != "" {
		top += dir
	}
	s.name = func(tp connectors.TopicPartition, directory string, start int64) string {
		return fmt.Sprintf("%s%s%s%s%s%s%s%d%s%0*d%s", top, tp.Topic, dir, directory, dir, tp.Topic, file, tp.Partition, file, width, start, s.format.Extension())
	}
}

func (s *settings) partitioning(v configdef.Values) error {
	delim, duration, pattern := v.String(dirDelimKey), v.Long(durationKey), v.String(pathFormatKey)
	day := strings.Join([]string{"'year'=YYYY", "'month'=MM", "'day'=dd"}, delim)
	switch v.String(partitionerKey) {
	case byField:
		s.partition = fields(v.List(fieldNameKey), delim)
	case byDay:
		duration, pattern = 24*time.Hour.Milliseconds(), day
	case byHour:
		duration, pattern = time.Hour.Milliseconds(), day+delim+"'hour'=HH"
	case byTime:
		pattern = strings.TrimSuffix(pattern, delim)
	default:
		s.partition = kafkaPartition()
	}
	if s.partition != nil {
		if v.Long(rotateKey) > 0 {
			s.ineffective = rotateKey + " takes a partitioner by time: it is without effect"
		}
		return nil
	}
	path, err := newTimePath(pattern, duration, s.zone)
	if err != nil {
		return err
	}
	s.partition = timed(path)
	s.interval, s.onChange = max(0, millis(v, rotateKey)), v.Bool(onPartitionKey)
	switch extractor(v.String(extractorKey)) {
	case ofRecord:
		s.extract = byTimestamp
	case recordField:
		s.extract = byTimestampField(v.String(timestampFieldKey))
	default:
		s.extract, s.atLeastOnce = byWallclock, extractorKey+"=Wallclock places records by when they are written"
	}
	return nil
}

func formatOf(v configdef.Values, config map[string]string) (format.Format, error) {
	whole := func(f format.Format) format.Format {
		return format.Compressed(f, format.Compression(strings.ToLower(v.String(compressionKey))), v.Int(levelKey))
	}
	switch v.String(formatClassKey) {
	case jsonFormat:
		return whole(format.JSON(strings.EqualFold(v.String(decimalsKey), "NUMERIC"))), nil
	case byteArrayFormat:
		separator, given := config[bytesSeparatorKey] // as it is: a definition trims
		if !given {
			separator = lineSeparator
		}
		return whole(format.Bytes(v.String(bytesExtensionKey), separator)), nil
	case avroFormat:
		return format.Avro(v.String(avroCodecKey), v.Bool(metaDataKey)), nil
	case parquetFormat:
		return format.Parquet(v.String(parquetCodecKey)), nil
	}
	return nil, fmt.Errorf("s3: %s=%s is no format (bug)", formatClassKey, v.String(formatClassKey))
}
