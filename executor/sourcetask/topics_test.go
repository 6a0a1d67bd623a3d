package sourcetask

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

func TestTopicCreation_GroupsAreReadAsKafkaConnectReadsThem(t *testing.T) {
	rules, err := parseCreation(map[string]string{"name": "x",
		"topic.creation.groups": "big, default,keyed", "topic.creation.default.replication.factor": "1", "topic.creation.default.partitions": " 2 ", "topic.creation.default.include": "none",
		"topic.creation.big.include": "b.*, huge", "topic.creation.big.exclude": "(?=ba).*+(?<=d)", "topic.creation.big.partitions": "8", "topic.creation.big.retention.ms": "5",
		"topic.creation.keyed.include": "k", "topic.creation.keyed.replication.factor": "-1", "topic.creation.keyed.cleanup.policy": "compact",
	})
	if err != nil || len(rules) != 3 {
		t.Fatal(rules, err)
	}
	for topic, want := range map[string]kafkaio.TopicSpec{
		"b1":   {Partitions: 8, Replication: 1, Config: map[string]string{"retention.ms": "5"}},
		"huge": {Partitions: 8, Replication: 1, Config: map[string]string{"retention.ms": "5"}},
		"bad":  {Partitions: 2, Replication: 1, Config: map[string]string{}},
		"k":    {Partitions: 2, Replication: -1, Config: map[string]string{"cleanup.policy": "compact"}},
		"kk":   {Partitions: 2, Replication: 1, Config: map[string]string{}},
	} {
		for _, r := range rules {
			if !r.applies(topic) {
				continue
			}
			if d := cmp.Diff(want, r.spec); d != "" {
				t.Errorf("%s: %s", topic, d)
			}
			break
		}
	}
}

func TestTopicCreation_FaultsAreInKafkaConnectsWords(t *testing.T) {
	const partitions, factor = "topic.creation.default.partitions", "topic.creation.default.replication.factor"
	for _, c := range []struct {
		config map[string]string
		want   string
	}{
		{map[string]string{partitions: "1"}, `Missing required configuration "` + factor + `" which has no default value.`},
		{map[string]string{partitions: "0", factor: "1"}, "Invalid value 0 for configuration " + partitions + ": Number of partitions must be positive, or -1 to use the broker's default"},
		{map[string]string{partitions: "1", factor: "-2"}, "Invalid value -2 for configuration " + factor + ": Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default"},
		{map[string]string{partitions: "1", factor: "x", "topic.creation.groups": "g"}, "Invalid value x for configuration " + factor + ": Not a number of type SHORT"},
		{map[string]string{partitions: "1", factor: "1", "topic.creation.groups": "g", "topic.creation.g.include": "a,("}, "Invalid value [a, (] for configuration topic.creation.g.include: Syntax error in regular expression: Unclosed group near index 1\n("},
	} {
		_, err := parseCreation(c.config)
		if !errors.Is(err, ErrConfig) || err.Error() != ErrConfig.Error()+": "+c.want {
			t.Errorf("%v:\n got %v\nwant %s", c.config, err, c.want)
		}
	}
	if rules, err := parseCreation(map[string]string{"name": "x"}); err != nil || rules != nil {
		t.Error("nobody asks for topics:", rules, err)
	}
}
