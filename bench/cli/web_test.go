package cli

import (
	"bytes"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"floodgate/results/report/html/browsertest"
	"floodgate/results/verdict"
)

const liveScenario = `version: 1
name: live
title: A service in a browser
seed: 7
items: {kind: phone-numbers}
service: {report_items: 2, arrivals: {rate: 100}, duration: 500ms}
upstream:
  latency: {distribution: constant, value: 20ms}
sut: {nofile: 64}
variants:
  - {strategy: bounded, limit: 10}
levels:
  - sut.nofile: 64
blocks: 6
`

// when calls a function with the first match of its pattern in what is written, before
// Write returns.
type when struct {
	bytes.Buffer
	pattern *regexp.Regexp
	call    func(match string)
}

func (w *when) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if m := w.pattern.FindSubmatch(w.Bytes()); m != nil && w.call != nil {
		call := w.call
		w.call = nil
		call(string(m[1]))
	}
	return n, err
}

var pageURL = regexp.MustCompile(`web: (http://\S+/)\n`)

// charts is an expression whose promise ends with the titles of the charts, once those of a
// trial in progress are there.
const charts = `new Promise(done => {
  const look = () => {
    if (!document.querySelector('#trial svg') || !document.querySelector('#trials svg')) return;
    done([...document.querySelectorAll('figcaption')].map(e => e.textContent));
  };
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
  look();
})`

// A browser follows a run of a service, and the page becomes the report that the command
// report prints. It requests nothing from elsewhere, and its console is empty.
func TestWebInABrowser(t *testing.T) {
	t.Parallel()
	browser := browsertest.Start(t)
	dir := t.TempDir()
	file, root := filepath.Join(dir, "live.yaml"), filepath.Join(dir, "runs")
	if err := os.WriteFile(file, []byte(liveScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	var page *browsertest.Page
	var at string
	var titles []string
	var before string
	stderr := &when{pattern: pageURL, call: func(url string) { // the run has not begun
		at, page = url, browser.Open(url)
		page.Loaded(1)
		page.Eval(`document.querySelector('#live pre').textContent`, &before)
	}}
	stdout := &when{pattern: regexp.MustCompile(`(.)`), call: func(string) { // all trials have ended
		page.Eval(charts, &titles)
	}}
	code := run(t.Context(), []string{"run", file, "--env", "embedded", "--out", root, "--web", "--quiet"}, stdout, stderr)
	if code != verdict.ExitPassed || page == nil {
		t.Fatalf("exit code %d\n%s%s", code, stderr, stdout)
	}
	if before != "The run has not begun." {
		t.Errorf("at first the page says %q", before)
	}
	if got := strings.Join(titles, ", "); !strings.HasPrefix(got, "Rate, Response time, Descriptors, Tasks in flight, ") {
		t.Errorf("charts %q", got)
	}
	page.Loaded(2)
	const document = `document.documentElement.outerHTML`
	var shown, printed string
	page.Eval(document, &shown)
	report := filepath.Join(dir, "report.html")
	id := onlyRun(t, root).Header.ID
	if code := run(t.Context(), []string{"report", id, "--out", root, "--format", "html", "--output", report}, stdout, stderr); code != verdict.ExitPassed {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	stored := browser.Open((&url.URL{Scheme: "file", Path: report}).String())
	stored.Loaded(1)
	stored.Eval(document, &printed)
	if shown != printed || !strings.Contains(shown, `data-exit="0"`) {
		t.Errorf("the page has %d bytes, the report %d:\n%.1000s", len(shown), len(printed), shown)
	}
	if console := page.Console(); len(console) > 0 {
		t.Errorf("the console says %q", console)
	}
	for _, requested := range page.Requested() {
		if !strings.HasPrefix(requested, at) && !strings.HasPrefix(requested, "data:") && requested != "about:blank" {
			t.Errorf("the page requested %s", requested)
		}
	}
	if conn, err := net.Dial("tcp", strings.Split(at, "/")[2]); err == nil {
		conn.Close()
		t.Error("something still listens on", at)
	}
	token := strings.Split(at, "/")[3]
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(token)) {
			t.Errorf("the token of the URL is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A run that nobody follows ends as one without --web does, and one that fails ends the
// page, too.
func TestWebWithoutABrowser(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "small.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(externalScenario, "external", "small", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"--env", "embedded"}, verdict.ExitPassed},
		{[]string{"--upstream-url", "http://127.0.0.1:1"}, verdict.ExitNotMeasured},
	} {
		status := 0
		stderr := &when{pattern: pageURL, call: func(url string) {
			response, err := http.Get(url)
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			status = response.StatusCode
		}}
		var stdout bytes.Buffer
		code := run(t.Context(), append([]string{"run", file, "--out", filepath.Join(dir, "runs"), "--web=127.0.0.1:0"}, test.args...), &stdout, stderr)
		if code != test.want || status != http.StatusOK {
			t.Errorf("%v: exit code %d, want %d; the page had status %d\n%s", test.args, code, test.want, status, stderr)
		}
	}
}
