package html_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/html"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
	"floodgate/scenarios"
)

// elements holds the elements that a page may contain: none runs code or loads anything.
var (
	active = regexp.MustCompile(`(?i)<script|<iframe|<object|<embed|<img|<form|\son[a-z]+=|url\(|@import|src=|javascript:`)
	links  = regexp.MustCompile(`href="([^"]*)"`)
)

// checkPage reports the faults of any page.
func checkPage(t *testing.T, name, text string) {
	t.Helper()
	if found := active.FindString(text); found != "" {
		t.Errorf("%s: %q is in the page", name, found)
	}
	for _, l := range links.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(l[1], "#") && !strings.HasPrefix(l[1], "data:") {
			t.Errorf("%s: a link to %q", name, l[1])
		}
		if id, ok := strings.CutPrefix(l[1], "#"); ok && !strings.Contains(text, `id="`+id+`"`) {
			t.Errorf("%s: nothing has the id %q", name, id)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "ZgotmplZ", "%!", "<nil>"} {
		if strings.Contains(stripped(text), bad) {
			t.Errorf("%s: %q is in the page", name, bad)
		}
	}
}

func TestHTMLLoadsNothing(t *testing.T) {
	for name, run := range reporttest.Runs() {
		text := page(t, run, html.Options{Record: []byte("record")})
		checkPage(t, name, text)
		if text != page(t, run, html.Options{Record: []byte("record")}) {
			t.Errorf("%s: two pages of one run differ", name)
		}
	}
}

func TestHTMLOfPlansAndComparisons(t *testing.T) {
	for name, other := range otherPages(t) {
		checkPage(t, name, other.page)
	}
}

// stripped returns the text without encoded data.
func stripped(text string) string {
	return regexp.MustCompile(`data:[a-z/]+;base64,[A-Za-z0-9+/&#;=]*`).ReplaceAllString(text, "")
}

// cells returns the texts of a page's table rows by level and variant.
func cells(text string) map[string][][]string {
	found := map[string][][]string{}
	level := ""
	tags := regexp.MustCompile(`<[^>]*>`)
	for line := range strings.Lines(text[strings.Index(text, `id="tables"`):]) {
		if _, rest, ok := strings.Cut(line, "<h3>"); ok {
			level, _, _ = strings.Cut(rest, "</h3>")
		}
		if _, rest, ok := strings.Cut(line, "<tr data-variant="); ok {
			var row []string
			for _, c := range strings.Split(rest, "</td>") {
				_, c, _ := strings.Cut(c, "<td")
				row = append(row, tags.ReplaceAllString("<td"+c, ""))
			}
			found[level] = append(found[level], row[:len(row)-1])
		}
	}
	return found
}

// The page's tables have the texts of the widest terminal, cell by cell.
func TestHTMLHasTheTerminalsNumbers(t *testing.T) {
	for name, run := range reporttest.Runs() {
		v := reporttest.Judge(t, run)
		var out bytes.Buffer
		if err := report.Terminal(&out, run, v, text.Options{Width: 1000}); err != nil {
			t.Fatal(err)
		}
		terminal, n := unaligned(out.String()), 0
		for level, rows := range cells(page(t, run, html.Options{})) {
			for _, row := range rows {
				n++
				want := htmlUnescape(strings.Join(strings.Fields(strings.Join(row, " ")), " "))
				if !contains(terminal, want) {
					t.Errorf("%s, %s: the terminal has no row %q", name, level, want)
				}
			}
		}
		want := max(len(v.Table.Rows), len(v.Service))
		for _, r := range v.Service {
			want += len(r.Requests)
		}
		if n != want {
			t.Errorf("%s: %d rows, want %d", name, n, want)
		}
		if !strings.Contains(htmlUnescape(page(t, run, html.Options{})), fmt.Sprintf("(exit code %d)", v.Exit)) {
			t.Errorf("%s: no exit code", name)
		}
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func htmlUnescape(text string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&amp;", "&", "&#43;", "+").Replace(text)
}

// The downloads of a page equal the data that they were made from.
func TestHTMLDownloads(t *testing.T) {
	run := reporttest.Runs()["clean"]
	record := []byte("{\"a\":1}\n")
	text := page(t, run, html.Options{Record: record})
	files := map[string][]byte{}
	for _, m := range regexp.MustCompile(`download="([^"]*)" href="data:application/gzip;base64,([^"]*)"`).FindAllStringSubmatch(text, -1) {
		packed, err := base64.StdEncoding.DecodeString(htmlUnescape(m[2]))
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if files[m[1]], err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(record), string(files[run.Header.ID+".run.jsonl.gz"])); diff != "" {
		t.Error(diff)
	}
	var verdict claims.Outcome
	if err := json.Unmarshal(files[run.Header.ID+".verdict.json.gz"], &verdict); err != nil || verdict.Run != run.Header.ID {
		t.Errorf("verdict of run %q: %v", verdict.Run, err)
	}
}

const evil = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>\u202egnp.exe\u2066\x1b[31m\"'`{{.}}"

// Names and texts of a record are rendered as text, whatever they contain.
func TestHTMLHostileTexts(t *testing.T) {
	claims := runtest.Claims()
	for i := range claims {
		claims[i].Statement = evil
	}
	run := runtest.New(runtest.Options{Claims: claims, Bare: true, Blocks: 6})
	run.Header.ID += evil
	run.Header.ScenarioName = evil
	run.Header.Environment.Database = evil
	run.Header.Fingerprint.CPU = evil
	run.Warnings = []string{evil}
	run.Path = "/tmp/" + evil + "/run.jsonl"
	var sc scenarios.Scenario
	if err := json.Unmarshal(run.Header.Scenario, &sc); err != nil {
		t.Fatal(err)
	}
	for i := range sc.Variants {
		if sc.Variants[i].Name == run.Trials[0].Variant {
			sc.Variants[i].Name = evil
		}
	}
	sc.Title = evil
	renamed := run.Trials[0].Variant
	for i := range run.Trials {
		if run.Trials[i].Variant == renamed {
			run.Trials[i].Variant = evil
		}
	}
	scenario, err := json.Marshal(sc)
	if err != nil {
		t.Fatal(err)
	}
	run.Header.Scenario = scenario
	text := page(t, run, html.Options{Record: []byte(evil)})
	for _, bad := range []string{"<script", "<img", "\u202e", "\u2066", "\x1b"} {
		if strings.Contains(text, bad) {
			at := strings.Index(text, bad)
			t.Errorf("%q is in the page: …%q", bad, text[max(0, at-60):min(at+60, len(text))])
		}
	}
	if !strings.Contains(text, "&lt;script&gt;alert(1)") {
		t.Error("the text is not in the page at all")
	}
}

// A page of many levels stays small, and names the omitted parts.
func TestHTMLSize(t *testing.T) {
	run := runtest.Service(reporttest.ServiceClaims(), nil)
	for i := range run.Trials {
		s := &run.Trials[i].Service.Series
		long := results.Series{Columns: map[results.Column][]int64{}}
		for k := range 600 {
			long.At = append(long.At, int64(k))
			for name, values := range s.Columns {
				long.Columns[name] = append(long.Columns[name], values[k%len(values)]*int64(k%7))
			}
		}
		run.Trials[i].Service.Series = long
	}
	record := make([]byte, 3_000_000)
	seed := uint64(1)
	for i := range record { // random, so that it cannot be compressed
		seed = seed*6364136223846793005 + 1442695040888963407
		record[i] = byte(seed >> 56)
	}
	text := page(t, run, html.Options{Record: record})
	if len(text) > 1_000_000 {
		t.Errorf("%d bytes", len(text))
	}
	if !strings.Contains(text, "is not in this page") {
		t.Error("the page does not say that the record is missing")
	}
}

// With many levels, the page has only some of the rows, and the number of the others.
func TestHTMLManyLevels(t *testing.T) {
	var counts []any
	for n := range 90 {
		counts = append(counts, 5+n)
	}
	run := runtest.New(runtest.Options{Bare: true, Blocks: 6, Claims: runtest.Claims(), Levels: []scenarios.LevelSet{{"items": counts}}})
	text := page(t, run, html.Options{Record: make([]byte, 1000)})
	if len(text) > 1_000_000 {
		t.Errorf("%d bytes", len(text))
	}
	if !strings.Contains(text, "320 rows more are in the verdict below") {
		t.Error("the page does not say how many rows are left out")
	}
}
