package html_test

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"floodgate/results/report/html"
)

// live returns the state of a run of a service, with n samples and trials.
func live(n int) *html.Live {
	l := &html.Live{
		Title: "mine: <b>A service</b>", Run: "20261128-120000.000-abcdef", Summary: " 42 % ██████░░░░░░\ntrial        <i>original</i>", Notes: []string{"a <note>"},
		Unit: "report", Trial: "original, block 2, rate=3", NoFile: 256, Variants: []string{"original", "shared"},
	}
	for i := range n {
		at := time.Duration(i) * 100 * time.Millisecond
		fds := 20 + i/2
		l.Samples = append(l.Samples, html.LiveSample{
			At: at, DueRate: 100, DoneRate: 80 + 10*math.Sin(float64(i)/9), P50: 20 * time.Millisecond, P99: time.Duration(50+i) * time.Millisecond,
			Descriptors: fds, Parts: []html.LivePart{{"ESTABLISHED to 127.0.0.1:8080", fds - 15}, {"LISTEN <x>", 1}},
			InFlight: i % 30, Items: 10 * (i % 30), Fetching: i % 20, Tasks: 100 + i,
		})
		l.Trials = append(l.Trials, html.LiveTrial{
			Number: i + 1, Variant: i % 2, Level: "rate=3", Makespan: time.Duration(1+i%7) * time.Second, Items: 200, P99: 90 * time.Millisecond, Descriptors: fds, InFlight: i % 30,
		})
	}
	return l
}

var titles = regexp.MustCompile(`<figcaption>([^<]*)`)

// The page of a service draws what it does and what ended, and a program that processes its
// items once has no chart of a trial. All texts are escaped.
func TestLive(t *testing.T) {
	drawn := func(l *html.Live) string {
		text, err := l.Fragment()
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range titles.FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
		for _, raw := range []string{"<b>", "<i>", "<note>", "<x>"} {
			if strings.Contains(string(text), raw) {
				t.Errorf("%s is not escaped", raw)
			}
		}
		return strings.Join(all, ", ")
	}
	if got, want := drawn(live(100)), "Rate, Response time, Descriptors, Tasks in flight, Makespan, Rate, Latency, Peak descriptors, Peak in flight"; got != want {
		t.Errorf("a service has %q, want %q", got, want)
	}
	items := live(10)
	items.Samples, items.Unit = nil, ""
	if got, want := drawn(items), "Makespan, Rate, Latency, Peak descriptors, Peak in flight"; got != want {
		t.Errorf("a program has %q, want %q", got, want)
	}
	if got := drawn(live(0)); got != "" {
		t.Errorf("before the first trial there are %q", got)
	}
	elsewhere := live(10)
	elsewhere.Trials = nil
	for i := range elsewhere.Samples { // a service on another machine in its first moments
		s := &elsewhere.Samples[i]
		s.Descriptors, s.Parts, s.P50, s.P99 = 0, nil, 0, 0
	}
	if got, want := drawn(elsewhere), "Rate, Tasks in flight"; got != want {
		t.Errorf("a service elsewhere has %q, want %q", got, want)
	}
}

func livePage(t *testing.T, samples int, nonce string) string {
	t.Helper()
	fragment, err := live(samples).Fragment()
	if err != nil {
		t.Fatal(err)
	}
	page, err := html.LivePage(fragment, nonce)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// The page's only script and style carry the nonce.
func TestLivePage(t *testing.T) {
	page := livePage(t, 10, "N0NCE")
	for _, want := range []string{`<script nonce="N0NCE">`, `<style nonce="N0NCE">`} {
		if strings.Count(page, want) != 1 || strings.Count(page, want[:7]) != 1 {
			t.Errorf("the page lacks %s, or has another one", want)
		}
	}
	for _, never := range []string{" style=", " onload=", "http://", "https://"} {
		if strings.Contains(strings.ReplaceAll(page, `xmlns="http://www.w3.org/2000/svg"`, ""), never) {
			t.Errorf("the page has %q", never)
		}
	}
}

// The page fits a desktop and a telephone.
func TestLiveInABrowser(t *testing.T) {
	before, _, _ := strings.Cut(livePage(t, 120, ""), "<script") // there is nothing to follow
	looks, console, requested := inspect(t, map[string]string{"live.html": before})
	if console != "" || len(requested) > 0 || len(looks) != 2 {
		t.Errorf("%d looks, console %q, requests %q", len(looks), console, requested)
	}
	for _, l := range looks {
		if l.Over > 0 || len(l.Wider) > 0 || len(l.Out) > 0 || len(l.Cross) > 0 || l.Texts < 50 || l.Small < 9 {
			t.Errorf("at %d: %+v", l.Width, l)
		}
	}
}

func ExampleLivePage() {
	l := html.Live{Title: "report: How much time does concurrency save?", Run: "20261128-120000.000-abcdef", Summary: "  0 % ░░░░  0 of 36 trials done"}
	fragment, err := l.Fragment()
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := html.LivePage(fragment, "a random nonce")
	fmt.Println(strings.Count(string(page), "<script"), err)
	// Output: 1 <nil>
}

func BenchmarkLive(b *testing.B) {
	l := live(600)
	l.Trials = l.Trials[:200]
	b.ReportAllocs()
	for b.Loop() {
		text, err := l.Fragment()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text)), "bytes")
	}
}
