package content_test

import (
	"testing"

	"floodgate/results/capacity"
	"floodgate/results/report/content"
)

func TestAdviceForHosts(t *testing.T) {
	for _, test := range []struct {
		hosts, upTo int
		vary, want  string
	}{
		{0, 12, "", "recommended limit: 12"},
		{4, 12, "", "recommended limit: 12 per host, 48 in all"},
		{4, 20, "", "recommended limit: 12 per host, 48 in all; up to 20 per host is acceptable"},
		{4, 12, "workers", "recommended workers: 12 per host"},
	} {
		p := content.Limits{Plan: &capacity.Limits{Hosts: test.hosts, Vary: test.vary}}
		if got := p.Advice(&capacity.Recommendation{Limit: 12, UpTo: test.upTo}); got != test.want {
			t.Errorf("%d hosts: %q, want %q", test.hosts, got, test.want)
		}
	}
}
