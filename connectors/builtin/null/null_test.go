package null

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNullSink_Conforms(t *testing.T) {
	conformance.Run(t, Plugin(), conformance.Case{Name: "plain", Setup: func(testing.TB) conformance.Fixture {
		return conformance.Fixture{Config: map[string]string{"name": "c"}}
	}})
}
