package search_test

import (
	"strings"
	"testing"

	"floodgate/bench/search"
	"floodgate/results"
	"floodgate/results/capacity"
)

func TestLimitsOnHosts(t *testing.T) {
	s := parse(t, fourWorkers)
	one, err := search.NewLimitBounds(s, search.LimitValues{Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := search.NewLimitBounds(s, search.LimitValues{Quick: true, Hosts: 4})
	if err != nil {
		t.Fatal(err)
	}
	if b.Hosts() != 4 || one.Hosts() != 1 {
		t.Errorf("%d hosts and %d", b.Hosts(), one.Hosts())
	}
	if b.Max != one.Max { // nofile bounds each host
		t.Errorf("limits up to %d on four hosts, %d on one", b.Max, one.Max)
	}
	plan, err := search.NewLimits(s, b, results.Header{}, capacity.Terms{})
	if err != nil || plan.Hosts != 4 {
		t.Errorf("%d hosts are planned, %v", plan.Hosts, err)
	}
	for text, values := range map[string]search.LimitValues{
		"--hosts must be at least 1 (got -1)":   {Hosts: -1},
		"must be a whole number from 1 to 1000": {Hosts: 1001},
	} {
		if _, err := search.NewLimitBounds(s, values); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v, want %q", values, err, text)
		}
	}
}
