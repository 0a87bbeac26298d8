package scenarios_test

import (
	"strings"
	"testing"

	"github.com/prometheus/common/model"

	"floodgate/scenarios"
)

func TestParseSelector(t *testing.T) {
	code := model.Metric{"__name__": "http_requests_total", "code": "200", "path": "/"}
	for text, matches := range map[string]bool{
		"http_requests_total": true, "http_requests_total{}": true, `http_requests_total{code="200"}`: true, `http_requests_total{path="/",code="200"}`: true,
		`http_requests_total{code="404"}`: false, `http_requests_total{zone="a"}`: false, "http_requests": false, `{"http_requests_total", code="200"}`: true,
		`http_requests_total{zone=""}`: true, // as in Prometheus, a label that is not there is empty
	} {
		s, err := scenarios.ParseSelector(text)
		if err != nil || s.Matches(code) != matches {
			t.Errorf("%s: matches %v, %v, want %v", text, !matches, err, matches)
		}
	}
	for _, text := range []string{
		"", " ", "a b", "a 5", "a 5 7", "# HELP a", "# TYPE a gauge", "a\nb", `a{code=~"2.."}`, `a{code!="2"}`, `a{code="2"`, `{code="2"}`, "1a", "a-b", "sum(a)", "a\n#", `a{b="c"} 1`,
	} {
		if _, err := scenarios.ParseSelector(text); err == nil || !strings.Contains(err.Error(), "must be the name of a metric") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func FuzzParseSelector(f *testing.F) {
	for _, text := range []string{"up", `a{b="c",d="e\""}`, `{"a.b", "c d"="e"}`, "a 5", "# TYPE a gauge", "a{", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scenarios.ParseSelector(text)
		if err != nil {
			return
		}
		if s.Name() == "" {
			t.Errorf("%q chooses no metric", text)
		}
		if s.Matches(model.Metric{}) {
			t.Errorf("%q matches a series without a name", text)
		}
	})
}
