package elasticsearch

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
)

// urls takes the nodes. What stands before an @ is not repeated in messages.
func urls() configdef.Validator {
	return configdef.Func("a list of URLs, as http://host:port", func(name string, value *string) error {
		if value == nil || strings.TrimSpace(*value) == "" {
			return configdef.Invalid(name, "[]", "at least one URL as http://host:port is needed")
		}
		for _, s := range configdef.SplitList(*value) {
			if _, err := nodeURL(s); err != nil {
				if at := strings.LastIndexByte(s, '@'); at >= 0 {
					s = "…" + s[at:]
				}
				return configdef.Invalid(name, s, "a URL as http://host:port is needed")
			}
		}
		return nil
	})
}

// nodeURL reads a node's URL: http where it has no scheme, and without a user.
func nodeURL(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("elasticsearch: an entry of %s is no URL", urlKey)
	}
	u.User, u.Path = nil, strings.TrimRight(u.Path, "/")
	return u, nil
}

// streamPart takes what a part of a data stream's name may be.
func streamPart() configdef.Validator {
	const bad = `/\*"<>| ,#:-`
	return configdef.Func(`at most 100 lower-case characters without / \ * " < > | , # : - and blanks`, func(name string, value *string) error {
		if value == nil {
			return nil
		}
		s := strings.ReplaceAll(*value, "${topic}", "t")
		if len(s) > 100 || s != strings.ToLower(s) || strings.ContainsAny(s, bad) {
			return configdef.Invalid(name, *value, "at most 100 lower-case characters are needed, without any of "+bad)
		}
		return nil
	})
}

// pairs takes a list of topic:resource.
func pairs() configdef.Validator {
	return configdef.Func("a list of topic:resource", func(name string, value *string) error {
		if value == nil {
			return nil
		}
		if _, err := resources(*value); err != nil {
			return configdef.Invalid(name, configdef.Shown(value), err.Error())
		}
		return nil
	})
}

func resources(list string) (map[string]string, error) {
	out, seen := map[string]string{}, map[string]string{}
	for _, entry := range configdef.SplitList(list) {
		topic, resource, ok := strings.Cut(entry, ":")
		topic, resource = strings.TrimSpace(topic), strings.TrimSpace(resource)
		if !ok || topic == "" || resource == "" || strings.Contains(resource, ":") {
			return nil, fmt.Errorf("%q is not topic:resource", entry)
		}
		if _, twice := out[topic]; twice {
			return nil, fmt.Errorf("the topic %s is there twice", topic)
		}
		if other, twice := seen[resource]; twice {
			return nil, fmt.Errorf("%s is named for the topics %s and %s", resource, other, topic)
		}
		out[topic], seen[resource] = resource, topic
	}
	return out, nil
}
