package rest

import (
	"strings"
	"testing"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestBody_IsReadAsItIsMeantOrNotAtAll(t *testing.T) {
	for body, want := range map[string]string{
		"\ufeff{\"a\":\"é\"}":       "",
		"{\"a\":\"\xe9\"}":          "byte 7",
		"{\"a\":\"é\xed\xa0\x80\"}": "byte 9",
	} {
		var config *sluicev1.Config
		err := decodeBody(strings.NewReader(body), &config)
		switch {
		case want == "" && (err != nil || config.GetEntries()[0].GetValue() != "é"):
			t.Errorf("%q: %v %v", body, config, err)
		case want != "" && (err == nil || !strings.HasSuffix(err.Error(), "is not valid UTF-8: "+want)):
			t.Errorf("%q: %v, want %s", body, err, want)
		}
	}
	for _, none := range []string{"", " null\n"} {
		config := &sluicev1.Config{}
		if err := decodeBody(strings.NewReader(none), &config); err != nil || config != nil {
			t.Errorf("%q: %v %v", none, config, err)
		}
	}
}
