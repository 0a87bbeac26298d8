package report_test

import (
	"bytes"
	stdhtml "html"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/report/html"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
	"floodgate/scenarios"
)

// everyFormat returns the run in every format for people.
func everyFormat(t *testing.T, run *results.Run) map[string]string {
	t.Helper()
	v := reporttest.Judge(t, run)
	var words, page, doc bytes.Buffer
	for _, err := range []error{
		report.Terminal(&words, run, v, text.Options{Width: 1000}),
		html.Run(&page, run, v, html.Options{}),
		report.JSON(&doc, v),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	markdown := string(ci.Markdown(ci.Judged{Run: run, Verdict: v}, 1<<20))
	return map[string]string{"text": words.String(), "html": page.String(), "json": doc.String(), "markdown": markdown}
}

// silent returns runs of items and of a service with the change.
func silent(change func(*results.Trial)) map[string]*results.Run {
	keep := func(t *results.Trial) bool {
		if change != nil && t.Block == 0 {
			change(t)
		}
		return true
	}
	return map[string]*results.Run{
		"items":   runtest.New(runtest.Options{Blocks: 6, Variants: runtest.Variants()[:2], Change: keep}),
		"service": runtest.Service(nil, keep),
	}
}

// Facts that hide faults, or look like faults of the program, are in every format if they
// occurred, and only then.
func TestEasilyOverlookedFacts(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*results.Trial)
		note   string
		row    string
	}{
		"repeated requests": {
			func(t *results.Trial) { t.Upstream = &results.UpstreamStats{Requests: 23, Repeated: 3} },
			"retried by the client: ", "3 requests retried by the client",
		},
		"no local port": {
			func(t *results.Trial) { t.Errors = []results.ErrorCount{{Type: "ports", Side: "upstream", Count: 5}} },
			"out of local ports (EADDRNOTAVAIL): ", "ports",
		},
	} {
		for kind, run := range silent(test.change) {
			for format, text := range everyFormat(t, run) {
				if !strings.Contains(text, test.note) || format != "json" && !strings.Contains(text, test.row) {
					t.Errorf("%s, %s as %s: want %q and %q", name, kind, format, test.note, test.row)
				}
			}
		}
		for kind, run := range silent(nil) {
			for format, text := range everyFormat(t, run) {
				if strings.Contains(text, test.note) {
					t.Errorf("%s, %s as %s without any: %q is there", name, kind, format, test.note)
				}
			}
		}
	}
}

// A limit that is exceeded is in every format that decides: in its claim and, for
// readers, in the row of the variant.
func TestLimitThatIsExceeded(t *testing.T) {
	claim := scenarios.Claim{ID: "ten-slots", Statement: "Ten slots are ten.", LimitRespected: &scenarios.LimitRespectedClaim{Of: []string{"joined-10"}}}
	run := runtest.New(runtest.Options{Blocks: 6, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": 20}}, Claims: []scenarios.Claim{claim},
		Change: func(t *results.Trial) bool {
			if t.Variant == "joined-10" && t.Block < 2 {
				t.Upstream.PeakInFlight, t.Overrun = 47, &results.Overrun{Limit: 10, PeakInFlight: 47}
			}
			return true
		}})
	formats := everyFormat(t, run)
	for format, text := range formats {
		for _, want := range []string{"peak in flight 47 > 10", "peak in flight 47 > limit 10 in 2 trials"} {
			if format == "json" {
				want = `"kind": "limit_respected"`
			}
			if !strings.Contains(plain(text), want) {
				t.Errorf("%s: want %q in\n%s", format, want, text)
			}
		}
	}
	j := ci.Judged{Run: run, Verdict: reporttest.Judge(t, run)}.Judgment()
	for format, text := range map[string][]byte{"junit": ci.JUnit(j), "sarif": ci.SARIF(j), "github": ci.Annotations(j), "comment": ci.Comment(j)} {
		if !strings.Contains(plain(string(text)), "peak in flight 47 > 10") {
			t.Errorf("%s: want the claim in\n%s", format, text)
		}
	}
}

// plain returns a text without the escapes of HTML, XML, JSON and Markdown.
func plain(text string) string {
	return strings.NewReplacer(`\u003e`, ">", `\`, "").Replace(stdhtml.UnescapeString(text))
}

// The page of an HTTP service has no section about stages, which only our own pipeline
// reports.
func TestPageWithoutStages(t *testing.T) {
	for name, test := range map[string]struct {
		run  *results.Run
		want bool
	}{"our own": {runtest.Service(nil, nil), true}, "http": {runtest.HTTPService(nil, nil), false}} {
		if page := everyFormat(t, test.run)["html"]; strings.Contains(page, "Time of an item by stage") != test.want {
			t.Errorf("%s: section about stages: %v, want %v", name, !test.want, test.want)
		}
	}
}

// The picture of descriptors has numbers also where their kinds are unknown, as those of a
// service that runs already, and does not name these then.
func TestPageWithoutKindsOfDescriptors(t *testing.T) {
	kinds := []results.Column{results.ColumnDescriptorsUpstream, results.ColumnDescriptorsMongo, results.ColumnDescriptorsOther}
	for _, known := range []bool{true, false} {
		page := everyFormat(t, runtest.HTTPService(nil, func(t *results.Trial) bool {
			for _, c := range kinds {
				if !known {
					delete(t.Service.Series.Columns, c)
				}
			}
			return true
		}))["html"]
		head, body := "<th>time</th><th>all</th></tr></thead><tbody>", "<tr><td>"
		if known {
			head = "<th>time</th><th>all</th><th>upstream</th><th>database</th><th>other</th></tr></thead><tbody>"
		}
		if _, rest, found := strings.Cut(page, head); !found || !strings.HasPrefix(strings.TrimSpace(rest), body) {
			t.Errorf("kinds known %v: want %q and rows, got %.100q", known, head, rest)
		}
	}
}

// Every format lists the ignored settings of the servers.
func TestNotesOfTheEnvironment(t *testing.T) {
	const note = "maxPoolSize=20 of the connection string is not used"
	for kind, run := range silent(nil) {
		run.Header.Environment.Notes = []string{note}
		for format, text := range everyFormat(t, run) {
			if !strings.Contains(text, note) {
				t.Errorf("%s as %s: want %q", kind, format, note)
			}
		}
	}
}

// A claim about descriptors does not count ports, and has a note about them.
func TestPortsAreNotDescriptors(t *testing.T) {
	run := runtest.Service(reporttest.ServiceClaims(), func(t *results.Trial) bool {
		if t.Block < 2 {
			t.Errors = append(t.Errors, results.ErrorCount{Type: "ports", Side: "upstream", Count: 5})
		}
		return true
	})
	for _, c := range reporttest.Judge(t, run).Claims {
		for _, e := range c.Evidence {
			noted := strings.Contains(strings.Join(e.Notes, "; "), "local ports ran out in 2 of 6 trials (EADDRNOTAVAIL)")
			if of := e.Kind == claims.KindExhaustion || e.Kind == claims.KindNoExhaustion; of != noted {
				t.Errorf("%s: notes %q", e.Kind, e.Notes)
			}
		}
	}
}

// Metrics that a service exports itself are in text and documents, and in a chart of their own.
func TestMetricsOfAService(t *testing.T) {
	every := everyFormat(t, runtest.Service(nil, func(t *results.Trial) bool {
		t.Service.Series.Metrics = map[string]results.Metric{`busy{pool="a"}`: {At: []int64{0, 1000, 2000}, Values: []float64{1, 7 + float64(t.Block), 2.5}}}
		return true
	}))
	for format, want := range map[string]string{
		"text": `busy{pool="a"} 1 → 2.50, at most 12`, "json": `"name": "busy{pool=\"a\"}"`, "html": `>shared-10: busy{pool=&#34;a&#34;}`,
	} {
		if !strings.Contains(every[format], want) {
			t.Errorf("%s: want %q", format, want)
		}
	}
}
