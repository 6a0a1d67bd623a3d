package validate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/executor/validate"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
)

// FuzzValidate_AnyConfigIsAnswered takes a connector's config as lines key=value, a line without = being a null.
func FuzzValidate_AnyConfigIsAnswered(f *testing.F) {
	f.Add("name=a\nconnector.class=FileStreamSource\ntopic=t\ntasks.max=0\ntransforms=a, b,a\ntransforms.a.type=RegexRouter\ntransforms.a.regex=(\ntransforms.a.predicate=p\npredicates=p\npredicates.p.type=TopicNameMatches\npredicates.p.pattern=*")
	f.Add("connector.class=FileStreamSink\ntopics=a,b\ntopics.regex=a\nerrors.deadletterqueue.topic.name=a\nconsumer.override.max.poll.records=x\nvalue.converter=JsonConverter\nvalue.converter.schemas.enable=maybe")
	f.Add("connector.class=FileStreamSource\ntopic\ntopic.creation.groups=a\ntopic.creation.a.include=[\ntopic.creation.default.partitions=-2\ntopic.creation.default.replication.factor=0\nconfig.action.reload=x\noffsets.storage.topic= ")
	f.Add("connector.class=x.Secret\npw=hunter2\nconnector.plugin.version=[1,2\nkey.converter.plugin.version=latest\nheader.converter=SimpleHeaderConverter")
	f.Add("connector.class=FileStreamSource\ntransforms=c\ntransforms.c.type=org.apache.kafka.connect.transforms.TimestampConverter$Value\ntransforms.c.target.type=string\ntransforms.c.format=YYYY'")
	v := validate.Validator{Registry: registry(f), Worker: worker(f, ""), Clock: clock.Real()}
	f.Fuzz(func(t *testing.T, text string) {
		var kv []string
		for l := range strings.SplitSeq(text, "\n") {
			key, value, ok := strings.Cut(l, "=")
			if !ok {
				value = "NULL"
			}
			kv = append(kv, key, value)
		}
		r, err := v.Validate(t.Context(), pairs(kv...))
		if err != nil {
			var known *errs.Error
			if !errors.As(err, &known) || known.Reason == errs.Internal {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		n := 0
		for _, i := range r.GetConfigs() {
			n += len(i.GetValue().GetErrors())
		}
		if n < int(r.GetErrorCount()) || (n == 0) != (r.GetErrorCount() == 0) || (validate.Check(r) == nil) != (n == 0) {
			t.Fatalf("%q: %d errors are counted as %d", text, n, r.GetErrorCount())
		}
	})
}
