package ci_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/report/ci"
	"floodgate/results/summary"
)

// texts generates texts that are harmful unless they are escaped.
var texts = rapid.OneOf(
	rapid.String(),
	rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")) }),
	rapid.SampledFrom([]string{
		"", " ", "|", "a|b\\|c\\", "`", "```\n# x", "</details><script>alert(1)</script>", "<!--", "]]>", "&amp;", "@everyone", "#1", "\x00\x1b[31m\r\n::error::x",
		"::set-output name=a::b", "%0A::error::", "a\u2028b\u2029c\u0085d", "\ufffe\uffff", "\u202etxt", "![x](http://x)", "- [ ] x", "1. x", "***", "---\n===", "$x$",
		strings.Repeat("@", 5000), strings.Repeat("`", 3000), strings.Repeat("x", 9_000), strings.Repeat("<\n", 3_000),
	}),
)

// hostile returns a run with arbitrary texts, and with many claims or few.
func hostile(t *rapid.T, base ci.Judged) ci.Judged {
	v, run := *base.Verdict, *base.Run
	text := func() string { return texts.Draw(t, "text") }
	v.Scenario, v.Title, v.Run, v.Environment.Database, v.Machine.CPU = text(), text(), text(), text(), text()
	v.Environment.Chosen, v.Environment.Targets = text(), []string{text(), text()}
	v.Notes = rapid.SliceOfN(texts, 0, 15).Draw(t, "notes")
	run.Warnings = rapid.SliceOfN(texts, 0, 3).Draw(t, "warnings")
	run.Path = rapid.SampledFrom([]string{"", "results/runs/" + text() + "/run.jsonl"}).Draw(t, "path")
	run.Header.ID = text()
	names := make(map[string]string)
	renamed := func(name string) string {
		if _, ok := names[name]; !ok {
			names[name] = text()
		}
		return names[name]
	}
	var renamedClaims []claims.Claim
	for range rapid.SampledFrom([]int{1, 1, 1, 30}).Draw(t, "times") {
		for _, c := range v.Claims {
			c.ID, c.Statement, c.Notes = text(), text(), []string{text()}
			c.Evidence = append([]claims.Evidence{}, c.Evidence...)
			for i := range c.Evidence {
				e := &c.Evidence[i]
				e.Variant, e.Level, e.Notes = renamed(e.Variant), renamed(e.Level), []string{text()}
				e.Missing = []summary.Missing{{Why: text(), Blocks: 2}}
			}
			renamedClaims = append(renamedClaims, c)
		}
	}
	v.Claims = renamedClaims
	table := *v.Table
	table.Rows = append([]summary.Row{}, table.Rows...)
	for i := range table.Rows {
		r := &table.Rows[i]
		r.Variant, r.Level, r.Errors = renamed(r.Variant), renamed(r.Level), map[string]int{text(): 2}
	}
	v.Table = &table
	v.Service = append([]summary.ServiceRow(nil), v.Service...)
	for i := range v.Service {
		r := &v.Service[i]
		r.Variant, r.Level, r.Detail = renamed(r.Variant), renamed(r.Level), text()
	}
	run.Trials = append([]results.Trial{}, run.Trials...)
	for i := range run.Trials {
		if run.Trials[i].Outcome != results.OutcomeOK {
			run.Trials[i].Reason, run.Trials[i].Variant = text(), renamed(run.Trials[i].Variant)
		}
	}
	return ci.Judged{Run: &run, Verdict: &v, File: rapid.SampledFrom([]string{"", text()}).Draw(t, "file")}
}

var annotationLine = regexp.MustCompile(`^::(error|warning|notice) (file=[^:,\r\n]*,line=[0-9]+,)?title=[^:,\r\n]*::[^\r\n]*$`)

func TestHostileTexts(t *testing.T) {
	bases := []ci.Judged{judged(t, "messy"), judged(t, "service"), judged(t, "unclaimed"), judged(t, "external")}
	rapid.Check(t, func(t *rapid.T) {
		j := hostile(t, rapid.SampledFrom(bases).Draw(t, "base"))
		parseJUnit(t, ci.JUnit(j.Judgment()))
		checkSARIF(t, ci.SARIF(j.Judgment()))
		checkAnnotations(t, ci.Annotations(j.Judgment()))
		checkMarkdown(t, ci.Markdown(j, ci.MaxComment), ci.MaxComment)
		checkMarkdown(t, ci.Comment(j.Judgment()), ci.MaxComment)
	})
}

func checkAnnotations(t tester, text []byte) {
	kinds := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		m := annotationLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil || len([]rune(line)) > 20_000 {
			t.Fatalf("no annotation: %.300q", line)
		}
		if escapes := regexp.MustCompile(`%(25|0A|3A|2C)`).ReplaceAllString(line, ""); strings.Contains(escapes, "%") {
			t.Errorf("a percent sign is not escaped: %.300q", line)
		}
		if kinds[m[1]]++; kinds[m[1]] > 10 {
			t.Errorf("%d of %s", kinds[m[1]], m[1])
		}
	}
	checkPlain(t, text)
}

// checkPlain checks that nothing moves a cursor or changes the direction of writing.
func checkPlain(t tester, text []byte) {
	if !utf8.Valid(text) {
		t.Errorf("not UTF-8")
	}
	if i := bytes.IndexFunc(text, func(r rune) bool {
		return r < 0x20 && r != '\n' || r == 0x7f || r == '\u2028' || r == '\u202e' || r == '\u0085'
	}); i >= 0 {
		t.Errorf("a control character: %.100q", text[i:])
	}
}

var (
	withCode = regexp.MustCompile(`^(Show this report|\*\*[0-9,]+ rows? omitted\*\* to stay within [0-9,]+ bytes. Full report): `)
	leftRows = regexp.MustCompile(`\*\*([0-9,]+) rows? omitted\*\*`)
)

func checkMarkdown(t tester, text []byte, limit int) {
	if len(text) > limit {
		t.Errorf("%d bytes of %d", len(text), limit)
	}
	checkPlain(t, text)
	pipes := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		bare := strings.NewReplacer(`\\`, "", `\|`, "", "\\`", "", `\[`, "").Replace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			pipes = 0
		case pipes == 0:
			pipes = strings.Count(bare, "|")
		case strings.Count(bare, "|") != pipes:
			t.Errorf("a row of %d bars below a head of %d: %.200q", strings.Count(bare, "|"), pipes, line)
		}
		if withCode.MatchString(line) { // the rest is code, which needs no escapes
			continue
		}
		if strings.ContainsAny(bare, "<>`") || regexp.MustCompile(`@[^\x{200b}]|#[0-9]|&[^alg]`).MatchString(bare) {
			t.Errorf("not escaped: %.300q", line)
		}
	}
	if !bytes.Contains(text, []byte("\nShow this report: ")) {
		t.Errorf("no way to print it again")
	}
}

// checkSARIF checks the requirements of SARIF 2.1.0, and that it has no unknown
// properties.
func checkSARIF(t tester, text []byte) {
	type message struct {
		Text *string `json:"text"`
	}
	var doc struct {
		Schema  string `json:"$schema"`
		Version string `json:"version"`
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name    string `json:"name"`
					Version string `json:"version"`
					Rules   []struct {
						ID    string  `json:"id"`
						Short message `json:"shortDescription"`
					} `json:"rules"`
				} `json:"driver"`
			} `json:"tool"`
			Automation struct {
				ID string `json:"id"`
			} `json:"automationDetails"`
			Invocations []struct {
				Successful *bool  `json:"executionSuccessful"`
				Code       int    `json:"exitCode"`
				Statement  string `json:"exitCodeDescription"`
				Notes      []struct {
					Level   string  `json:"level"`
					Message message `json:"message"`
				} `json:"toolExecutionNotifications"`
			} `json:"invocations"`
			Results []struct {
				Rule      string  `json:"ruleId"`
				Index     int     `json:"ruleIndex"`
				Level     string  `json:"level"`
				Message   message `json:"message"`
				Locations []struct {
					Physical struct {
						Artifact struct {
							URI  string `json:"uri"`
							Base string `json:"uriBaseId"`
						} `json:"artifactLocation"`
						Region struct {
							Line int `json:"startLine"`
						} `json:"region"`
					} `json:"physicalLocation"`
				} `json:"locations"`
				Prints     map[string]string `json:"partialFingerprints"`
				Properties map[string]string `json:"properties"`
			} `json:"results"`
		} `json:"runs"`
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		t.Fatalf("%v\n%.2000s", err, text)
	}
	if doc.Version != "2.1.0" || !strings.HasSuffix(doc.Schema, "sarif-schema-2.1.0.json") || len(doc.Runs) != 1 {
		t.Fatalf("version %q, schema %q, %d runs", doc.Version, doc.Schema, len(doc.Runs))
	}
	run := doc.Runs[0]
	rules := make(map[string]bool)
	for _, r := range run.Tool.Driver.Rules {
		if rules[r.ID] || r.Short.Text == nil || *r.Short.Text == "" {
			t.Errorf("rule %q stands twice, or says nothing", r.ID)
		}
		rules[r.ID] = true
	}
	if run.Tool.Driver.Name == "" || len(run.Invocations) != 1 || run.Invocations[0].Successful == nil {
		t.Errorf("tool %q, %d invocations", run.Tool.Driver.Name, len(run.Invocations))
	}
	for _, r := range run.Results {
		if r.Index >= len(run.Tool.Driver.Rules) || run.Tool.Driver.Rules[r.Index].ID != r.Rule {
			t.Errorf("result of rule %q, which rule %d is not", r.Rule, r.Index)
		}
		if r.Message.Text == nil || *r.Message.Text == "" || r.Level != "error" && r.Level != "warning" && r.Level != "note" {
			t.Errorf("result of level %q", r.Level)
		}
		for _, l := range r.Locations {
			if uri := l.Physical.Artifact.URI; l.Physical.Region.Line < 1 || uri == "" || !uriReference.MatchString(uri) {
				t.Errorf("location %q, line %d", uri, l.Physical.Region.Line)
			}
		}
	}
}

var uriReference = regexp.MustCompile(`^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*$`)

// If tables do not fit, claims are kept, and the omitted parts are counted.
func TestMarkdownIsCutHonestly(t *testing.T) {
	j := judged(t, "messy")
	v := *j.Verdict
	table := *v.Table
	table.Rows = nil
	for i := range 100 {
		for _, r := range j.Verdict.Table.Rows {
			r.Level = fmt.Sprintf("%s of %d", r.Level, i)
			table.Rows = append(table.Rows, r)
		}
	}
	v.Table = &table
	whole := ci.Markdown(ci.Judged{Run: j.Run, Verdict: &v}, ci.MaxSummary)
	short := ci.Markdown(ci.Judged{Run: j.Run, Verdict: &v}, ci.MaxComment)
	checkMarkdown(t, whole, ci.MaxSummary)
	checkMarkdown(t, short, ci.MaxComment)
	if leftRows.Match(whole) || len(short) < ci.MaxComment*9/10 {
		t.Errorf("%d bytes in full, %d cut", len(whole), len(short))
	}
	m := leftRows.FindStringSubmatch(string(short))
	if m == nil {
		t.Fatal("the omitted parts are not counted")
	}
	rows := func(text []byte) int { return len(regexp.MustCompile(`(?m)^(\| [^|]|- )`).FindAll(text, -1)) }
	heads := func(text []byte) int { return bytes.Count(text, []byte("\n|---")) }
	if got, want := strings.ReplaceAll(m[1], ",", ""), fmt.Sprint(rows(whole)-heads(whole)-rows(short)+heads(short)); got != want {
		t.Errorf("%s rows are said to be left out, %s are", got, want)
	}
	for _, c := range v.Claims {
		if !strings.Contains(string(short), "| "+c.ID+" |") || !strings.Contains(string(short), " "+c.ID+": ") {
			t.Errorf("no claim %s", c.ID)
		}
	}
}
