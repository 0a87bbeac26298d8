package html_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	pb "github.com/google/pprof/profile"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/results/profile"
	"floodgate/results/report/html"
	"floodgate/results/report/internal/reporttest"
	"floodgate/scenarios"
)

// profiledRun returns a stored run whose trials have a profile of goroutines, of which leaked
// ones grew by n, and none of CPU time.
func profiledRun(t *testing.T, n int64) *results.Run {
	t.Helper()
	run := runtest.New(runtest.Options{Blocks: 6, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{20}}}})
	run.Path = filepath.Join(t.TempDir(), "run.jsonl")
	run.Header.Profiles = []string{profile.CPU, profile.Goroutine}
	for name, leaked := range map[string]int64{"before.pb.gz": 2, "peak.pb.gz": 2 + n} {
		if err := results.SaveProfile(filepath.Dir(run.Path), name, goroutines(t, leaked)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range run.Trials {
		run.Trials[i].Profiles = []results.Profile{
			{Kind: profile.CPU, Error: "GET http://127.0.0.1:1/: connection refused"},
			{Kind: profile.Goroutine, File: "peak.pb.gz", Before: "before.pb.gz", Peak: "tasks", Value: n, Highest: n, Taken: 3},
		}
	}
	return run
}

// goroutines returns a profile of 5 goroutines that serve and some that leaked.
func goroutines(t *testing.T, leaked int64) []byte {
	t.Helper()
	p := &pb.Profile{SampleType: []*pb.ValueType{{Type: "goroutine", Unit: "count"}}, PeriodType: &pb.ValueType{Type: "goroutine", Unit: "count"}, Period: 1}
	for _, name := range []string{"main.main", "example.com/reportd/server.(*Server).serve", "main.leak", "runtime.gopark"} {
		id := uint64(len(p.Function) + 1)
		f := &pb.Function{ID: id, Name: name}
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, &pb.Location{ID: id, Line: []pb.Line{{Function: f, Line: 1}}})
	}
	l := p.Location
	p.Sample = []*pb.Sample{{Location: []*pb.Location{l[3], l[1], l[0]}, Value: []int64{5}}, {Location: []*pb.Location{l[3], l[2], l[1], l[0]}, Value: []int64{leaked}}}
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sectionOf returns a section of a page.
func sectionOf(t *testing.T, page, id string) string {
	t.Helper()
	_, from, found := strings.Cut(page, fmt.Sprintf(`<section id="%s">`, id))
	section, _, ended := strings.Cut(from, "</section>")
	if !found || !ended {
		t.Fatalf("no section %s", id)
	}
	return section
}

// The page shows the functions that grew most and the stacks, says which profiles are
// missing, and has the files.
func TestHTMLProfiles(t *testing.T) {
	text := page(t, profiledRun(t, 480), html.Options{Record: []byte("record")})
	checkPage(t, "profiles", text)
	section := sectionOf(t, text, "profiles")
	reporttest.Golden(t, "profiles.html", []byte(section))
	for _, want := range []string{
		"main.leak: +480 in itself", "+ main.leak", "cpu, sequential, items=20: GET http://127.0.0.1:1/: connection refused", "From 7 to 487.",
		"<td>example.com/reportd/server.(*Server).serve</td><td>0</td><td>+480</td>",
	} {
		if !strings.Contains(htmlUnescape(section), want) {
			t.Errorf("%q is not in the section", want)
		}
	}
	if n := strings.Count(text, `goroutine.pb.gz" href="data:application/gzip;base64,`); n != 2 {
		t.Errorf("%d profiles are in the page, want 2", n)
	}
}

// A page of a comparison shows what grew from A to B.
func TestHTMLComparedProfiles(t *testing.T) {
	var out bytes.Buffer
	if err := html.Comparison(&out, reporttest.Compare(profiledRun(t, 30), profiledRun(t, 90))); err != nil {
		t.Fatal(err)
	}
	checkPage(t, "compared", out.String())
	section := sectionOf(t, out.String(), "profiles")
	if !strings.Contains(section, "main.leak: &#43;60 in itself") && !strings.Contains(section, "main.leak: +60 in itself") {
		t.Errorf("the growth is not in %s", section)
	}
}

// A profile that was lost or damaged is named, and the rest of the page is there.
func TestHTMLWithoutFiles(t *testing.T) {
	run := profiledRun(t, 480)
	run.Path = filepath.Join(t.TempDir(), "run.jsonl")
	text := page(t, run, html.Options{})
	checkPage(t, "lost", text)
	if !strings.Contains(text, "peak.pb.gz: no such file or directory") {
		t.Error("the page does not say what is missing")
	}
}
