package ci_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// element is any XML element.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e element) attr(name string) (string, bool) {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

// junitRules holds the rules of Jenkins' xunit plugin (junit-10.xsd), and the order of
// elements and the required class of a case from Ant's older schema. Times are required,
// because some consumers multiply a missing one, which is NaN.
var junitRules = map[string]struct {
	required, optional []string
	order              []string // order of the child elements
	once               []string // child elements that occur at most once
}{
	"testsuites": {required: []string{"time"}, optional: []string{"name", "tests", "failures", "errors"}, order: []string{"testsuite"}},
	"testsuite":  {required: []string{"name", "tests", "failures", "errors", "time"}, optional: []string{"group", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"}, order: []string{"properties", "testcase", "system-out", "system-err"}, once: []string{"properties", "system-out", "system-err"}},
	"properties": {order: []string{"property"}},
	"property":   {required: []string{"name", "value"}},
	"testcase":   {required: []string{"name", "classname", "time"}, optional: []string{"group"}, order: []string{"skipped", "error", "failure", "system-out", "system-err"}, once: []string{"skipped", "error", "failure", "system-out", "system-err"}},
	"failure":    {required: []string{"type", "message"}},
	"error":      {required: []string{"type", "message"}},
	"skipped":    {optional: []string{"type", "message"}},
	"system-out": {},
	"system-err": {},
}

type tester interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}

func checkElement(t tester, e element) {
	t.Helper()
	name := e.XMLName.Local
	rule, ok := junitRules[name]
	if !ok {
		t.Fatalf("<%s> is not of the format", name)
	}
	for _, a := range e.Attrs {
		if !slices.Contains(rule.required, a.Name.Local) && !slices.Contains(rule.optional, a.Name.Local) {
			t.Errorf("<%s %s> is not of the format", name, a.Name.Local)
		}
	}
	for _, r := range rule.required {
		if _, ok := e.attr(r); !ok {
			t.Errorf("<%s> lacks %s", name, r)
		}
	}
	if text, ok := e.attr("time"); ok {
		if s, err := strconv.ParseFloat(text, 64); err != nil || !(s >= 0 && s <= math.MaxInt64) {
			t.Errorf("<%s time=%q>", name, text)
		}
	}
	last := 0
	seen := make(map[string]int)
	for _, c := range e.Children {
		at := slices.Index(rule.order, c.XMLName.Local)
		if at < last {
			t.Errorf("<%s> is not allowed there in <%s>", c.XMLName.Local, name)
		}
		last = max(last, at)
		if seen[c.XMLName.Local]++; seen[c.XMLName.Local] > 1 && slices.Contains(rule.once, c.XMLName.Local) {
			t.Errorf("<%s> stands twice in <%s>", c.XMLName.Local, name)
		}
		checkElement(t, c)
	}
}

// counted holds the numbers of cases in a suite.
type counted struct{ Tests, Failures, Errors, Skipped int }

// parseJUnit checks the rules of the format and that the numbers are right.
func parseJUnit(t tester, text []byte) counted {
	t.Helper()
	var root element
	dec := xml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&root); err != nil {
		t.Fatalf("not XML: %v\n%s", err, text)
	}
	if _, err := dec.Token(); err != io.EOF {
		if tok, err := dec.Token(); err != io.EOF {
			t.Fatalf("after the end there is %v, %v", tok, err)
		}
	}
	for _, r := range string(text) { // XML 1.0, 2.2
		if r != '\t' && r != '\n' && r != '\r' && (r < 0x20 || r > 0xD7FF && r < 0xE000 || r == 0xFFFE || r == 0xFFFF) {
			t.Errorf("%U is not a character of XML", r)
		}
	}
	if root.XMLName.Local != "testsuites" || len(root.Children) != 1 {
		t.Fatalf("<%s> with %d suites", root.XMLName.Local, len(root.Children))
	}
	checkElement(t, root)
	suite := root.Children[0]
	var n counted
	for _, c := range suite.Children {
		if c.XMLName.Local != "testcase" {
			continue
		}
		n.Tests++
		results := 0
		for _, r := range c.Children {
			for name, count := range map[string]*int{"failure": &n.Failures, "error": &n.Errors, "skipped": &n.Skipped} {
				if r.XMLName.Local == name {
					*count++
					results++
				}
			}
		}
		if results > 1 {
			t.Errorf("a case with %d results", results)
		}
	}
	if n.Tests == 0 {
		t.Errorf("no case: servers refuse an empty suite")
	}
	for _, e := range []element{root, suite} {
		for name, want := range map[string]int{"tests": n.Tests, "failures": n.Failures, "errors": n.Errors, "skipped": n.Skipped} {
			text, ok := e.attr(name)
			if got, err := strconv.Atoi(text); ok && (err != nil || got != want) {
				t.Errorf("<%s %s=%q>, counted %d", e.XMLName.Local, name, text, want)
			}
		}
	}
	if at, ok := suite.attr("timestamp"); ok {
		if _, err := time.Parse("2006-01-02T15:04:05", at); err != nil {
			t.Errorf("timestamp: %v", err)
		}
	}
	return n
}

func TestJUnitIsOfTheFormat(t *testing.T) {
	for _, j := range everyExit(t) {
		n := parseJUnit(t, ci.JUnit(j.Judgment()))
		v := j.Verdict
		want := len(v.Claims) + len(v.Thresholds) + v.Outcomes["failed"]
		if v.Recorded < v.Planned {
			want++
		}
		if len(v.Claims)+len(v.Thresholds) == 0 {
			want++
		}
		if n.Tests != want || n.Skipped > 0 && len(v.Claims) > 0 {
			t.Errorf("%s: %+v, want %d tests", v.Run, n, want)
		}
	}
}

// The run messy has two inconclusive claims and two inconclusive thresholds, one of which
// only warns, an unmeasured trial, and trials that were not run.
func TestJUnitOfMessy(t *testing.T) {
	text := ci.JUnit(judged(t, "messy").Judgment())
	if n := parseJUnit(t, text); n != (counted{Tests: 14, Failures: 6, Errors: 5}) {
		t.Errorf("%+v", n)
	}
	for _, want := range []string{
		`<testcase classname="report" name="unlimited-is-faster" time="[0-9.]+">\s*<error type="inconclusive" `,
		`<testcase classname="report" name="faster" time="[0-9.]+">\s*<failure type="failed" message="faster: refuted, expected proved">“A pool`,
		`<error type="not-measured" message="[^"]*">the database did not answer</error>`,
		`joined-10, items=20: 79.8 % \[79.2, 80.7\] &lt; 85.0 %, n=7, refuted`,
	} {
		if !regexp.MustCompile(want).Match(text) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// The time of a case is that of the trials that it judges, each counted once; the time of
// the suite is that of all trials. Unmeasured trials add nothing.
func TestJUnitTimes(t *testing.T) {
	variants := runtest.Variants()[:2] // sequential and joined-10
	run := runtest.New(runtest.Options{Blocks: 6, Variants: variants, Levels: []scenarios.LevelSet{{"items": []any{20, 200}}}, Claims: []scenarios.Claim{
		{ID: "faster", Statement: "x", Reduction: &scenarios.ReductionClaim{Of: []string{"joined-10"}, Reference: "sequential", AtLeast: 0.1, Where: map[string]any{"items": 20}}},
		{ID: "growth", Statement: "x", Growth: &scenarios.GrowthClaim{Of: []string{"joined-10"}, Reference: "sequential"}},
	}, Change: func(t *results.Trial) bool {
		t.Makespan = map[string]time.Duration{"sequential": 2 * time.Second, "joined-10": time.Second}[t.Variant]
		if t.Block == 5 && t.Variant == "joined-10" {
			t.Outcome, t.Reason, t.Makespan = results.OutcomeFailed, "x", 0
		}
		return true
	}})
	j := ci.Judged{Run: run, Verdict: reporttest.Judge(t, run)}.Judgment()
	got := map[string]time.Duration{"": j.Time}
	for _, c := range j.Checks {
		got[c.ID] += c.Time
	}
	at20 := 6*2*time.Second + 5*time.Second
	if diff := cmp.Diff(map[string]time.Duration{"": 2 * at20, "faster": at20, "growth": 2 * at20, "trial-not-measured": 0}, got); diff != "" {
		t.Error(diff)
	}
	text := string(ci.JUnit(j))
	for _, want := range []string{`<testsuites name="floodgate" time="34.000" `, ` time="34.000" `, `<testcase classname="report" name="faster" time="17.000">`, `name="trial-not-measured" time="0.000">`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// Every judged case has a time, and the suite has at most the sum of them.
func TestJUnitTimesOfOthers(t *testing.T) {
	for name, j := range map[string]ci.Judgment{
		"service":   judged(t, "service").Judgment(),
		"commands":  ci.PairsJudgment(reporttest.PairsOutcome(t, "commands")),
		"revisions": ci.PairsJudgment(reporttest.PairsOutcome(t, "revisions")),
		"go-bench":  ci.GoBenchJudgment(reporttest.GoBenchOutcomes(t)["worse"], "x"),
	} {
		sum := time.Duration(0)
		for _, check := range j.Checks {
			if check.Time == 0 && check.Decision != verdict.NotMeasured && check.Decision != verdict.NotJudged {
				t.Errorf("%s: %s has no time", name, check.ID)
			}
			sum += check.Time
		}
		if j.Time == 0 || j.Time > sum {
			t.Errorf("%s: %v of %v", name, j.Time, sum)
		}
	}
}

// Each format has a note only once, so that it does not look like two.
func TestNotesOnce(t *testing.T) {
	judgments := map[string]ci.Judgment{}
	for _, name := range []string{"commands", "unmeasured", "revisions"} {
		v := reporttest.PairsOutcome(t, name)
		v.Notes = append(v.Notes, "this is to know before believing the rest")
		judgments[name] = ci.PairsJudgment(v)
		var words bytes.Buffer
		if err := report.Pairs(&words, v, text.Options{Width: 500}); err != nil || strings.Count(words.String(), "this is to know") != 1 {
			t.Errorf("%v: text of %s:\n%s", err, name, &words)
		}
	}
	for name, v := range reporttest.GoBenchOutcomes(t) {
		judgments["go-bench "+name] = ci.GoBenchJudgment(v, "x")
	}
	for name, v := range reporttest.BaselineOutcomes() {
		run := &results.Run{Header: results.Header{ID: v.Run.Run, ScenarioName: v.Run.Scenario}}
		judgments["baseline "+name] = ci.BaselineJudgment(ci.Judged{Run: run, Verdict: v.Run}, v, "x")
	}
	for name := range reporttest.Runs() {
		judgments[name] = judged(t, name).Judgment()
	}
	unescaped := strings.NewReplacer(`\`, "", "&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&amp;", "&", "\u200b", "")
	for name, j := range judgments {
		for format, words := range map[string][]byte{"markdown": ci.Comment(j), "junit": ci.JUnit(j), "github": ci.Annotations(j)} {
			for i, note := range j.Notes {
				if n := strings.Count(unescaped.Replace(string(words)), unescaped.Replace(note)); n > 1 || n == 0 && i < 5 && len(note) < 300 && format != "github" {
					t.Errorf("%s as %s has %d times: %s", name, format, n, note)
				}
			}
		}
	}
}
