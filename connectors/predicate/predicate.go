package predicate

import (
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/internal/version"
)

// Predicate tests records.
type Predicate interface {
	// Configure is called once, before anything else.
	Configure(config map[string]string) error
	// Test fills match, which has one entry for each record. It changes no record; one that it cannot test gets
	// an Err.
	Test(records []*transform.Record, match []bool)
}

// Info describes a predicate to the runtime.
type Info struct {
	Class   string
	Aliases []string
	Version string
	// Summary says in a sentence what it tests.
	Summary string
	Config  func() *configdef.Def
	New     func() Predicate
}

// Builtin are the predicates that are always there, by class.
func Builtin() []Info {
	return []Info{
		info("HasHeaderKey", "True for records with at least one header of a name.", hasHeaderKeyDef, func() Predicate { return &hasHeaderKey{} }),
		info("RecordIsTombstone", "True for records whose value is null.", configdef.New, func() Predicate { return recordIsTombstone{} }),
		info("TopicNameMatches", "True for records whose topic a regular expression matches, whole.", topicNameMatchesDef, func() Predicate { return &topicNameMatches{} }),
	}
}

func info(name, summary string, def func() *configdef.Def, make func() Predicate) Info {
	return Info{Class: "org.apache.kafka.connect.transforms.predicates." + name, Aliases: []string{name}, Version: version.Connect, Summary: summary, Config: def, New: make}
}
