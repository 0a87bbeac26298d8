package experiment

import (
	"strings"
	"testing"

	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

func TestAnUpstreamThatSawNoRequest(t *testing.T) {
	all := []string{"a", "b", "b"}
	for name, test := range map[string]struct {
		command  bool
		outcome  string
		requests int
		report   sut.Report
		errors   []results.ErrorCount
		proxy    string
		failed   bool
		text     string // of the reason or the warning
	}{
		"all failed":                {true, results.OutcomeOK, 0, sut.Report{Failed: all}, nil, "", true, "the upstream saw no request, and all items failed: does the program use a proxy, or an address other"},
		"with a proxy":              {true, results.OutcomeOK, 0, sut.Report{Failed: all}, nil, "http_proxy", true, "does the program use a proxy (http_proxy is set) although NO_PROXY names 127.0.0.1, or an address other"},
		"as counted":                {true, results.OutcomeOK, 0, sut.Report{ItemsFailed: new(2)}, nil, "", true, "the upstream saw no request"},
		"none failed":               {true, results.OutcomeOK, 0, sut.Report{}, nil, "", false, "the upstream saw no request: does"},
		"timed out":                 {true, results.OutcomeTimeout, 0, sut.Report{}, nil, "HTTP_PROXY", false, "(HTTP_PROXY is set)"},
		"ours":                      {false, results.OutcomeOK, 0, sut.Report{Failed: all}, nil, "", false, "the upstream saw no request"},
		"ours crashed":              {false, results.OutcomeCrashed, 0, sut.Report{}, nil, "", false, ""},
		"the upstream saw some":     {true, results.OutcomeOK, 1, sut.Report{Failed: all}, nil, "HTTP_PROXY", false, ""},
		"no descriptor explains it": {true, results.OutcomeOK, 0, sut.Report{Failed: all}, []results.ErrorCount{{Type: "emfile", Count: 2}}, "", false, ""},
		"no port explains it":       {true, results.OutcomeOK, 0, sut.Report{Failed: all}, []results.ErrorCount{{Type: "ports", Count: 2}}, "", false, ""},
	} {
		record := &results.Trial{Items: 2, Outcome: test.outcome, Errors: test.errors, ItemsFailed: test.report.ItemsFailed,
			Upstream: &results.UpstreamStats{Requests: test.requests}}
		s := &scenarios.Scenario{}
		if test.command {
			s.SUT.Command = []string{"program"}
		}
		a := &attempt{record: record, failed: test.report.Failed}
		checkRequests(record, ScheduledTrial{Level: scenarios.Level{Scenario: s}}, a, test.proxy)
		want := test.outcome
		if test.failed {
			want = results.OutcomeFailed
		}
		text := record.Reason + strings.Join(record.Warnings, "; ")
		if record.Outcome != want || (text == "") != (test.text == "") || !strings.Contains(text, test.text) {
			t.Errorf("%s: %s, %q; want %s, %q", name, record.Outcome, text, want, test.text)
		}
	}
}
