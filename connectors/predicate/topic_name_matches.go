package predicate

import (
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/internal/javaregex"
)

func topicNameMatchesDef() *configdef.Def {
	return configdef.New().Define(configdef.Key{Name: "pattern", Type: configdef.String, Required: true, Validator: configdef.All(configdef.NonEmpty(), transform.JavaRegex()),
		Importance: configdef.Medium, Doc: "A Java regular expression for matching against the name of a record's topic."})
}

type topicNameMatches struct {
	pattern *javaregex.Regex
	last    string // the last topic, own, and what was found
	matched bool
}

func (t *topicNameMatches) Configure(config map[string]string) error {
	v, err := topicNameMatchesDef().Parse(config)
	if err == nil {
		t.pattern, err = javaregex.Compile(v.String("pattern"))
		t.last, t.matched = "", err == nil && t.pattern.Matches("")
	}
	return err
}

func (t *topicNameMatches) Test(records []*transform.Record, match []bool) {
	for i, r := range records {
		if r.Topic != t.last {
			t.last, t.matched = string([]byte(r.Topic)), t.pattern.Matches(r.Topic)
		}
		match[i] = t.matched
	}
}
