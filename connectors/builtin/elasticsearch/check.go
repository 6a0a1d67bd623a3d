package elasticsearch

import (
	"fmt"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/keystore"
)

// check is what spans several keys of Confluent's sink. A key that is not valid by itself is null here.
func check(v configdef.Values, fail func(key, message string)) {
	invalid := func(key, why string) { fail(key, configdef.Invalid(key, v.String(key), why).Error()) }
	checkCommon(v, fail)
	if v.Has(bufferedKey) && v.Has(batchKey) && v.Int(bufferedKey) < v.Int(batchKey)*v.Int(inFlightKey) {
		invalid(bufferedKey, fmt.Sprintf("it must be at least %s x %s, %d", batchKey, inFlightKey, v.Int(batchKey)*v.Int(inFlightKey)))
	}
	stream := v.Has(streamTypeKey) && !strings.EqualFold(v.String(streamTypeKey), none)
	if v.Has(streamTypeKey) && stream != (v.String(datasetKey) != "") {
		fail(datasetKey, fmt.Sprintf("%s and %s are given together, or neither", streamTypeKey, datasetKey))
	}
	usage := strings.ToLower(v.String(usageKey))
	external := usage != "" && usage != disabled
	switch list, _ := resources(v.String(resourcesKey)); {
	case external && stream:
		invalid(usageKey, streamTypeKey+" names data streams by topic: one of the two is possible")
	case external && len(list) == 0:
		invalid(resourcesKey, usageKey+"="+v.String(usageKey)+" needs a resource for each topic")
	case !external && len(list) > 0:
		invalid(resourcesKey, usageKey+" has to say what these are")
	case v.Has(mostResourcesKey) && len(list) > v.Int(mostResourcesKey):
		invalid(resourcesKey, fmt.Sprintf("there are %d, and %s is %d", len(list), mostResourcesKey, v.Int(mostResourcesKey)))
	}
	stream = stream || external && strings.HasSuffix(usage, "datastream")
	if !stream && len(v.List(timestampFieldKey)) > 0 {
		invalid(timestampFieldKey, "it is for data streams: set "+streamTypeKey+" and "+datasetKey)
	}
	if stream && strings.EqualFold(v.String(methodKey), upsert) {
		invalid(methodKey, "data streams take no upserts")
	}
	if stream && strings.EqualFold(v.String(nullsKey), remove) {
		invalid(nullsKey, "data streams take no deletes")
	}
	if v.Bool(autoIDsKey) && strings.EqualFold(v.String(methodKey), upsert) {
		invalid(autoIDsKey, "upserts need ids")
	}
	checkProxy(v, fail)
	checkTLS(v, fail)
}

// checkCommon is what the keys of both classes have to say of one another.
func checkCommon(v configdef.Values, fail func(key, message string)) {
	if (v.String(userKey) == "") != (v.Password(passwordKey) == "") {
		fail(passwordKey, fmt.Sprintf("%s and %s are given together, or neither", userKey, passwordKey))
	}
	for _, k := range []struct{ all, some string }{{ignoreKeyKey, ignoreKeysKey}, {ignoreSchemaKey, ignoreSchemasKey}} {
		if v.Bool(k.all) && len(v.List(k.some)) > 0 {
			fail(k.some, fmt.Sprintf("'%s' can not be set if '%s' is true.", k.some, k.all))
		}
	}
	if v.Has(lingerKey) && v.Has(flushKey) && v.Long(lingerKey) > v.Long(flushKey) {
		fail(lingerKey, fmt.Sprintf("'%s' (%d) can not be larger than '%s' (%d).", lingerKey, v.Long(lingerKey), flushKey, v.Long(flushKey)))
	}
}

func checkProxy(v configdef.Values, fail func(key, message string)) {
	user, password := v.String(proxyUserKey) != "", v.Password(proxyPasswordKey) != ""
	if v.String(proxyHostKey) == "" && (user || password) {
		fail(proxyHostKey, fmt.Sprintf("'%s' must be set to use '%s' and '%s'.", proxyHostKey, proxyUserKey, proxyPasswordKey))
	}
	if user != password {
		fail(proxyPasswordKey, fmt.Sprintf("Either both or neither '%s' and '%s' can be set.", proxyUserKey, proxyPasswordKey))
	}
}

// checkTLS does not read the stores: they are where the connector runs, which reads them when it starts.
func checkTLS(v configdef.Values, fail func(key, message string)) {
	secure := strings.EqualFold(v.String(protocolKey), "SSL")
	for _, name := range []string{keystore.KeyLocation, keystore.KeyText, keystore.TrustLocation, keystore.TrustText} {
		if !secure && v.String(tlsPrefix+name) != "" {
			fail(protocolKey, fmt.Sprintf("'%s' must be set to 'SSL' to use %s*.", protocolKey, tlsPrefix))
			return
		}
	}
	if secure {
		for _, u := range nodes(v) {
			if u.Scheme != "https" {
				fail(urlKey, fmt.Sprintf("%s=SSL needs https in %s", protocolKey, urlKey))
				return
			}
		}
	}
}
