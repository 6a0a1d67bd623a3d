package httpsource

import (
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/configdef"
)

// castorm is the package of the Java connector's classes.
const castorm = "com.github.castorm.kafka.connect."

// The classes that configs name.
const (
	fixedTimer         = castorm + "timer.FixedIntervalTimer"
	adaptableTimer     = castorm + "timer.AdaptableIntervalTimer"
	okHTTPClient       = castorm + "http.client.okhttp.OkHttpClient"
	requestFactory     = castorm + "http.request.template.TemplateHttpRequestFactory"
	noTemplates        = castorm + "http.request.template.NoTemplateFactory"
	freeMarker         = castorm + "http.request.template.freemarker.FreeMarkerTemplateFactory"
	oldFreeMarker      = castorm + "http.request.template.freemarker.BackwardsCompatibleFreeMarkerTemplateFactory"
	configurableAuth   = castorm + "http.auth.ConfigurableHttpAuthenticator"
	noAuth             = castorm + "http.auth.NoneHttpAuthenticator"
	basicAuth          = castorm + "http.auth.BasicHttpAuthenticator"
	policyParser       = castorm + "http.response.PolicyHttpResponseParser"
	recordParser       = castorm + "http.response.KvHttpResponseParser"
	statusPolicy       = castorm + "http.response.StatusCodeHttpResponsePolicy"
	jacksonParser      = castorm + "http.response.jackson.JacksonKvRecordHttpResponseParser"
	schemedMapper      = castorm + "http.record.SchemedKvSourceRecordMapper"
	stringMapper       = castorm + "http.record.StringKvSourceRecordMapper"
	sorterClass        = castorm + "http.record.OrderDirectionSourceRecordSorter"
	offsetFilter       = castorm + "http.record.OffsetRecordFilterFactory"
	timestampFilter    = castorm + "http.record.OffsetTimestampRecordFilterFactory"
	noFilter           = castorm + "http.record.PassthroughRecordFilterFactory"
	timestamps         = castorm + "http.response.timestamp."
	epochMillis        = timestamps + "EpochMillisTimestampParser"
	epochOrDelegate    = timestamps + "EpochMillisOrDelegateTimestampParser"
	formattedTimestamp = timestamps + "DateTimeFormatterTimestampParser"
	regexTimestamp     = timestamps + "RegexTimestampParser"
)

// The keys of castorm's connector.
const (
	timerKey           = "http.timer"
	intervalKey        = "http.timer.interval.millis"
	catchUpKey         = "http.timer.catchup.interval.millis"
	oldIntervalKey     = "http.throttler.interval.millis"
	oldCatchUpKey      = "http.throttler.catchup.interval.millis"
	clientKey          = "http.client"
	connectTimeoutKey  = "http.client.connection.timeout.millis"
	readTimeoutKey     = "http.client.read.timeout.millis"
	idleKey            = "http.client.ttl.millis"
	maxIdleKey         = "http.client.max-idle"
	proxyHostKey       = "http.client.proxy.host"
	proxyPortKey       = "http.client.proxy.port"
	proxyUserKey       = "http.client.proxy.username"
	proxyPasswordKey   = "http.client.proxy.password"
	keystoreKey        = "http.client.keystore"
	keystorePassword   = "http.client.keystore.password"
	authKey            = "http.auth"
	authTypeKey        = "http.auth.type"
	authUserKey        = "http.auth.user"
	authPasswordKey    = "http.auth.password"
	factoryKey         = "http.request.factory"
	urlKey             = "http.request.url"
	methodKey          = "http.request.method"
	headersKey         = "http.request.headers"
	paramsKey          = "http.request.params"
	bodyKey            = "http.request.body"
	templateKey        = "http.request.template.factory"
	initialKey         = "http.offset.initial"
	parserKey          = "http.response.parser"
	policyKey          = "http.response.policy"
	policyParserKey    = "http.response.policy.parser"
	processKey         = "http.response.policy.codes.process"
	skipKey            = "http.response.policy.codes.skip"
	recordParserKey    = "http.response.record.parser"
	mapperKey          = "http.response.record.mapper"
	listKey            = "http.response.list.pointer"
	recordKey          = "http.response.record.pointer"
	offsetKey          = "http.response.record.offset.pointer"
	keyPointerKey      = "http.response.record.key.pointer"
	timePointerKey     = "http.response.record.timestamp.pointer"
	timeParserKey      = "http.response.record.timestamp.parser"
	delegateKey        = "http.response.record.timestamp.parser.delegate"
	patternKey         = "http.response.record.timestamp.parser.pattern"
	zoneKey            = "http.response.record.timestamp.parser.zone"
	regexKey           = "http.response.record.timestamp.parser.regex"
	regexDelegateKey   = "http.response.record.timestamp.parser.regex.delegate"
	orderKey           = "http.response.list.order.direction"
	sorterKey          = "http.record.sorter"
	filterKey          = "http.record.filter.factory"
	topicKey           = "kafka.topic"
	defaultTimePattern = "yyyy-MM-dd'T'HH:mm:ss[.SSS]X"
)

// Sluice's own keys: what castorm's connector has not.
const (
	cronKey          = "sluice.http.timer.cron"
	cronZoneKey      = "sluice.http.timer.zone"
	rateKey          = "sluice.http.requests.per.second"
	retriesKey       = "sluice.http.retries"
	backoffKey       = "sluice.http.retry.backoff.ms"
	backoffMaxKey    = "sluice.http.retry.backoff.max.ms"
	pagesKey         = "sluice.http.pagination"
	nextKey          = "sluice.http.pagination.next.pointer"
	tokenParamKey    = "sluice.http.pagination.token.param"
	offsetParamKey   = "sluice.http.pagination.offset.param"
	offsetStartKey   = "sluice.http.pagination.offset.start"
	offsetUnitKey    = "sluice.http.pagination.offset.unit"
	limitParamKey    = "sluice.http.pagination.limit.param"
	limitKey         = "sluice.http.pagination.limit"
	cursorKey        = "sluice.http.response.offset.pointer"
	maxBytesKey      = "sluice.http.response.max.bytes"
	conditionalKey   = "sluice.http.conditional"
	bearerKey        = "sluice.http.auth.token"
	tokenURLKey      = "sluice.http.oauth2.token.url"
	clientIDKey      = "sluice.http.oauth2.client.id"
	clientSecretKey  = "sluice.http.oauth2.client.secret"
	scopesKey        = "sluice.http.oauth2.scopes"
	oauthParamsKey   = "sluice.http.oauth2.params"
	oauthStyleKey    = "sluice.http.oauth2.client.auth"
	truststoreKey    = "sluice.http.truststore"
	truststorePwKey  = "sluice.http.truststore.password"
	truststoreType   = "sluice.http.truststore.type"
	defaultInterval  = 60_000
	defaultCatchUp   = 30_000
	defaultMaxBytes  = "67108864"
	oneSecondText    = "1000"
	longestRetryText = "60000"
)

// The ways from page to page.
const (
	noPages     = "none"
	linkPages   = "link"
	offsetPages = "offset"
	tokenPages  = "token"
)

// The units of offset pages.
const (
	unitRecords = "records"
	unitPages   = "pages"
)

// The types of authentication, in castorm's letters.
const (
	authNone   = "NONE"
	authBasic  = "BASIC"
	authBearer = "BEARER"
	authOAuth2 = "OAUTH2"
)

// The orders of a list.
const (
	ascending  = "ASC"
	descending = "DESC"
	implicit   = "IMPLICIT"
)

func def() *configdef.Def {
	d := configdef.New()
	requestKeys(d)
	responseKeys(d)
	timerKeys(d)
	clientKeys(d)
	ownKeys(d)
	return d
}

// in adds keys to a group, in order.
func in(d *configdef.Def, group string, keys ...configdef.Key) {
	for i, k := range keys {
		k.Group, k.OrderInGroup = group, i+1
		if k.Importance == "" {
			k.Importance = configdef.Low
		}
		d.Define(k)
	}
}

// class is a key whose value is one of castorm's classes.
func class(name, doc string, importance configdef.Importance, valid ...string) configdef.Key {
	return configdef.Key{Name: name, Type: configdef.Class, Default: configdef.Text(valid[0]), Validator: configdef.In(valid...), Importance: importance, Doc: doc}
}

func requestKeys(d *configdef.Def) {
	text := configdef.Text
	in(d, "Request",
		configdef.Key{Name: topicKey, Type: configdef.String, Required: true, Validator: configdef.NonEmpty(), Importance: configdef.High, Doc: "The topic that records go to."},
		configdef.Key{Name: urlKey, Type: configdef.String, Required: true, Importance: configdef.High, Doc: "The URL to ask, http or https. A template. Give secrets by headers: errors and logs name the URL without its query."},
		configdef.Key{Name: methodKey, Type: configdef.String, Default: text("GET"), Validator: configdef.In("GET", "POST", "PUT", "PATCH"), Importance: configdef.High, Doc: "The request's method."},
		configdef.Key{Name: headersKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "The request's headers: Name: Value, Name2: Value2. A comma in a value is written \\,. A template."},
		configdef.Key{Name: paramsKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "Parameters added to the URL's query: name=value & name2=value2. What is percent-encoded stays so, other characters are encoded where they have to be. A template."},
		configdef.Key{Name: bodyKey, Type: configdef.String, Default: text(""), Doc: "The request's body, of other methods than GET. A template."},
		configdef.Key{Name: initialKey, Type: configdef.String, Default: text(""), Importance: configdef.High, Doc: "The offset where none was committed: name=value, name2=value2. A timestamp is written as 2020-05-08T07:55:44Z."},
		class(templateKey, "Which templates there are: ${offset.name}; with the default also ${name}; with NoTemplateFactory none.", configdef.Low, oldFreeMarker, freeMarker, noTemplates),
		class(factoryKey, "Only the default is supported.", configdef.High, requestFactory),
	)
}

func responseKeys(d *configdef.Def) {
	text := configdef.Text
	pointer := pointerValidator()
	in(d, "Response",
		configdef.Key{Name: listKey, Type: configdef.String, Default: text("/"), Validator: pointer, Importance: configdef.High, Doc: "JSON pointer to the list of records in the response. / is the whole response. What is not a list is one record, null is none."},
		configdef.Key{Name: recordKey, Type: configdef.String, Default: text("/"), Validator: pointer, Importance: configdef.High, Doc: "JSON pointer to the record's value in an entry of the list. / is the whole entry."},
		configdef.Key{Name: offsetKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "What of a record becomes its offset: name=/pointer, name2=/pointer2, in an entry of the list. key is also the record's key, timestamp its timestamp, by which records that come again are told."},
		configdef.Key{Name: keyPointerKey, Type: configdef.List, Importance: configdef.High, Doc: "JSON pointers to the parts of the record's key, which are joined by +. Goes before key in http.response.record.offset.pointer. Deprecated."},
		configdef.Key{Name: timePointerKey, Type: configdef.String, Validator: configdef.OrNull(pointer), Importance: configdef.Medium, Doc: "JSON pointer to the record's timestamp. Goes before timestamp in http.response.record.offset.pointer. Deprecated."},
		class(timeParserKey, "How timestamps are read: milliseconds since 1970; these, or what the delegate reads; a date by a pattern; what a regular expression finds.", configdef.Low, epochOrDelegate, epochMillis, formattedTimestamp, regexTimestamp),
		class(delegateKey, "What reads timestamps that are not numbers.", configdef.High, formattedTimestamp, epochMillis, regexTimestamp),
		configdef.Key{Name: patternKey, Type: configdef.String, Default: text(defaultTimePattern), Doc: "The pattern of dates, of java.time.format.DateTimeFormatter: the letters y u M d H h a m s S E X x Z, quoted text and optional parts in brackets."},
		configdef.Key{Name: zoneKey, Type: configdef.String, Default: text("UTC"), Doc: "The zone of dates that say none."},
		configdef.Key{Name: regexKey, Type: configdef.String, Default: text(".*"), Doc: "A regular expression, of Java's; its first group is the timestamp."},
		class(regexDelegateKey, "What reads the timestamp that the regular expression has found.", configdef.High, formattedTimestamp, epochMillis, epochOrDelegate),
		configdef.Key{Name: orderKey, Type: configdef.String, Default: text(implicit), Validator: configdef.InIgnoreCase(ascending, descending, implicit), Doc: "The list's order: by ascending or descending timestamps, or as the first and the last of them say."},
		class(filterKey, "Which records are handed over: those behind the offset; those of a later timestamp; all.", configdef.Low, offsetFilter, timestampFilter, noFilter),
		class(mapperKey, "What records become: structs (the value with the fields value, key and timestamp, the key with the field key), or texts.", configdef.Low, schemedMapper, stringMapper),
		configdef.Key{Name: processKey, Type: configdef.String, Default: text("200..299"), Validator: rangesValidator(), Importance: configdef.High, Doc: "The statuses whose responses are read: 200..205, 207."},
		configdef.Key{Name: skipKey, Type: configdef.String, Default: text("300..399"), Validator: rangesValidator(), Importance: configdef.High, Doc: "The statuses whose responses count as having no records. Others fail the task, or are asked for again."},
		class(parserKey, "PolicyHttpResponseParser looks at the status; KvHttpResponseParser reads every response, whatever its status.", configdef.High, policyParser, recordParser),
		class(policyKey, "Only the default is supported.", configdef.High, statusPolicy),
		class(policyParserKey, "Only the default is supported.", configdef.High, recordParser),
		class(recordParserKey, "Only the default is supported.", configdef.Low, jacksonParser),
		class(sorterKey, "Only the default is supported.", configdef.Low, sorterClass),
	)
}

func timerKeys(d *configdef.Def) {
	millis := func(name string, ms string, doc string) configdef.Key {
		return configdef.Key{Name: name, Type: configdef.Long, Default: configdef.Text(ms), Validator: configdef.AtLeast(0), Importance: configdef.High, Doc: doc}
	}
	in(d, "Timer",
		class(timerKey, "AdaptableIntervalTimer knows two intervals, FixedIntervalTimer one.", configdef.High, adaptableTimer, fixedTimer),
		millis(intervalKey, "60000", "Pause between listings, in milliseconds."),
		millis(catchUpKey, "30000", "The pause while catching up: after a listing with new records, the last of them older than http.timer.interval.millis."),
		millis(oldIntervalKey, "60000", "As http.timer.interval.millis, which goes first. Deprecated."),
		millis(oldCatchUpKey, "30000", "As http.timer.catchup.interval.millis, which goes first. Deprecated."),
	)
}

func clientKeys(d *configdef.Def) {
	text := configdef.Text
	in(d, "Client",
		class(clientKey, "Only the default is supported; it is Go's.", configdef.High, okHTTPClient),
		configdef.Key{Name: connectTimeoutKey, Type: configdef.Long, Default: text("2000"), Validator: configdef.AtLeast(1), Importance: configdef.High, Doc: "How long connecting may take, in milliseconds."},
		configdef.Key{Name: readTimeoutKey, Type: configdef.Long, Default: text("2000"), Validator: configdef.AtLeast(1), Importance: configdef.High, Doc: "How long the response, or more of it, may be waited for, in milliseconds."},
		configdef.Key{Name: idleKey, Type: configdef.Long, Default: text("300000"), Validator: configdef.AtLeast(1), Importance: configdef.High, Doc: "How long a connection is kept that is not used, in milliseconds."},
		configdef.Key{Name: maxIdleKey, Type: configdef.Int, Default: text("1"), Validator: configdef.AtLeast(0), Importance: configdef.High, Doc: "How many connections are kept that are not used. 0: none."},
		configdef.Key{Name: proxyHostKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "The HTTP proxy's host. Empty: no proxy."},
		configdef.Key{Name: proxyPortKey, Type: configdef.Int, Default: text("3128"), Validator: configdef.Between(1, 65535), Importance: configdef.Medium, Doc: "The proxy's port."},
		configdef.Key{Name: proxyUserKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "The user for the proxy."},
		configdef.Key{Name: proxyPasswordKey, Type: configdef.Password, Default: text(""), Importance: configdef.Medium, Doc: "The password for the proxy."},
		configdef.Key{Name: keystoreKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "A PKCS12 file with the client's certificate and key."},
		configdef.Key{Name: keystorePassword, Type: configdef.Password, Default: text(""), Importance: configdef.Medium, Doc: "The keystore's password."},
		configdef.Key{Name: truststoreKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "A file with the authorities that are trusted, instead of the system's."},
		configdef.Key{Name: truststoreType, Type: configdef.String, Default: text("PEM"), Validator: configdef.InIgnoreCase("PEM", "JKS", "PKCS12"), Doc: "The form of that file."},
		configdef.Key{Name: truststorePwKey, Type: configdef.Password, Default: text(""), Importance: configdef.Medium, Doc: "The truststore's password."},
	)
	in(d, "Authentication",
		class(authKey, "ConfigurableHttpAuthenticator goes by http.auth.type; the others are NONE and BASIC.", configdef.Medium, configurableAuth, noAuth, basicAuth),
		configdef.Key{Name: authTypeKey, Type: configdef.String, Default: text(authNone), Validator: configdef.InIgnoreCase(authNone, authBasic, authBearer, authOAuth2), Importance: configdef.Medium,
			Doc: "BASIC: http.auth.user and http.auth.password. Of Sluice: BEARER: sluice.http.auth.token; OAUTH2: a token that sluice.http.oauth2.token.url gives for client credentials."},
		configdef.Key{Name: authUserKey, Type: configdef.String, Default: text(""), Importance: configdef.High, Doc: "The user, for BASIC."},
		configdef.Key{Name: authPasswordKey, Type: configdef.Password, Default: text(""), Importance: configdef.High, Doc: "The password, for BASIC."},
		configdef.Key{Name: bearerKey, Type: configdef.Password, Default: text(""), Importance: configdef.High, Doc: "The token, for BEARER."},
		configdef.Key{Name: tokenURLKey, Type: configdef.String, Default: text(""), Importance: configdef.High, Doc: "Where tokens are asked for, for OAUTH2."},
		configdef.Key{Name: clientIDKey, Type: configdef.String, Default: text(""), Importance: configdef.High, Doc: "The client's id, for OAUTH2."},
		configdef.Key{Name: clientSecretKey, Type: configdef.Password, Default: text(""), Importance: configdef.High, Doc: "The client's secret, for OAUTH2."},
		configdef.Key{Name: scopesKey, Type: configdef.List, Default: text(""), Doc: "The scopes that a token is asked for."},
		configdef.Key{Name: oauthParamsKey, Type: configdef.String, Default: text(""), Doc: "More parameters of the request for a token: audience=https://api & name2=value2."},
		configdef.Key{Name: oauthStyleKey, Type: configdef.String, Default: text("header"), Validator: configdef.In("header", "params"), Doc: "Whether id and secret are sent in the Authorization header or as parameters."},
	)
}

func ownKeys(d *configdef.Def) {
	text := configdef.Text
	in(d, "Pages",
		configdef.Key{Name: pagesKey, Type: configdef.String, Default: text(noPages), Validator: configdef.In(noPages, linkPages, offsetPages, tokenPages), Importance: configdef.Medium,
			Doc: "How a listing goes on. link: by the URL in the Link header with rel=next, or at sluice.http.pagination.next.pointer. offset: by a parameter that counts, until a page is empty. token: by a token at sluice.http.pagination.next.pointer, until there is none."},
		configdef.Key{Name: nextKey, Type: configdef.String, Validator: configdef.OrNull(pointerValidator()), Importance: configdef.Medium, Doc: "JSON pointer to the next page's URL or token in the response."},
		configdef.Key{Name: tokenParamKey, Type: configdef.String, Default: text("page_token"), Doc: "The parameter that takes the token."},
		configdef.Key{Name: offsetParamKey, Type: configdef.String, Default: text("offset"), Doc: "The parameter that counts."},
		configdef.Key{Name: offsetStartKey, Type: configdef.Long, Default: text("0"), Doc: "The first page's offset."},
		configdef.Key{Name: offsetUnitKey, Type: configdef.String, Default: text(unitRecords), Validator: configdef.In(unitRecords, unitPages), Doc: "What is counted."},
		configdef.Key{Name: limitParamKey, Type: configdef.String, Default: text("limit"), Doc: "The parameter that says how many records a page has, with sluice.http.pagination.limit."},
		configdef.Key{Name: limitKey, Type: configdef.Int, Default: text("0"), Validator: configdef.AtLeast(0), Doc: "How many records a page is to have. 0: the parameter is left out."},
		configdef.Key{Name: cursorKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium,
			Doc: "Cursors: what of a response becomes part of the offset, for the next request: name=/pointer, name2=/pointer2. The last record of a response has them. Null, an empty text or nothing there leaves the one before. Not with pagination."},
	)
	in(d, "Limits",
		configdef.Key{Name: cronKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "When listings begin, instead of intervals: minute, hour, day of the month, month, day of the week, or @hourly, @daily, @every 1h30m."},
		configdef.Key{Name: cronZoneKey, Type: configdef.String, Default: text("UTC"), Doc: "The schedule's time zone."},
		configdef.Key{Name: rateKey, Type: configdef.Double, Default: text("0"), Validator: configdef.AtLeast(0.0), Importance: configdef.Medium, Doc: "The most requests a second. 0: no limit."},
		configdef.Key{Name: retriesKey, Type: configdef.Int, Default: text("-1"), Validator: configdef.AtLeast(-1), Doc: "How often a request is made again in a row that was not answered, or answered with 408, 429, 500, 502, 503 or 504, before the task fails. -1: for ever."},
		configdef.Key{Name: backoffKey, Type: configdef.Long, Default: text(oneSecondText), Validator: configdef.AtLeast(1), Doc: "The pause before that, in milliseconds, where the response has no Retry-After. It doubles."},
		configdef.Key{Name: backoffMaxKey, Type: configdef.Long, Default: text(longestRetryText), Validator: configdef.AtLeast(1), Doc: "The longest such pause."},
		configdef.Key{Name: conditionalKey, Type: configdef.Boolean, Default: text("false"), Importance: configdef.Medium, Doc: "Whether a request that is the same as the last one has its ETag and Last-Modified, so that the server can say that nothing has changed. Not with pagination."},
		configdef.Key{Name: maxBytesKey, Type: configdef.Int, Default: text(defaultMaxBytes), Validator: configdef.AtLeast(1), Doc: "The largest response, in bytes. It is in memory whole."},
	)
}

// milliseconds is a key of a pause.
func milliseconds(v configdef.Values, key string) time.Duration {
	return time.Duration(min(v.Long(key), int64(longestWait/time.Millisecond))) * time.Millisecond
}

// longestWait bounds every pause, whoever asks for it.
const longestWait = 24 * time.Hour

func upper(v configdef.Values, key string) string { return strings.ToUpper(v.String(key)) }
