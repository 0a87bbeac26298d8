package site_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/history"
	"floodgate/results/internal/runtest"
	"floodgate/results/report/html"
	"floodgate/results/report/site"
	"floodgate/scenarios"
)

// publisher names the variable with the folders of a child that publishes.
const publisher = "FLOODGATE_TEST_PUBLISH"

// The test binary is also a publisher, which tells each file that it wrote and waits to be
// told to go on.
func TestMain(m *testing.M) {
	if folders := os.Getenv(publisher); folders != "" {
		root, dir, _ := strings.Cut(folders, "\n")
		stored, err := history.Read(root)
		if err == nil {
			in := bufio.NewReader(os.Stdin)
			_, err = site.Publish(context.Background(), dir, stored, func(file string) {
				fmt.Println(file)
				if _, err := in.ReadString('\n'); err != nil {
					os.Exit(1)
				}
			})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// day returns a small run of a day.
func day(n int) *results.Run {
	run := runtest.New(runtest.Options{Blocks: 6, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{20 + 30*(n%2)}}}})
	run.Header.ID = fmt.Sprintf("202611%02d-080000.000-%06x", n, n)
	run.Header.Started = time.Date(2026, 11, n, 8, 0, 0, 0, time.UTC)
	return run
}

func store(t *testing.T, root string, runs ...*results.Run) {
	t.Helper()
	for _, run := range runs {
		if _, err := runtest.Store(root, run); err != nil {
			t.Fatal(err)
		}
	}
}

func publish(t *testing.T, root, dir string) (*site.Result, []string) {
	t.Helper()
	stored, err := history.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	var wrote []string
	r, err := site.Publish(t.Context(), dir, stored, func(file string) { wrote = append(wrote, file) })
	if err != nil {
		t.Fatal(err)
	}
	return r, wrote
}

var (
	hrefs  = regexp.MustCompile(`href="([^"]*)"`)
	loaded = regexp.MustCompile(`(?i)<script|<iframe|<img|<link rel="stylesheet"|\ssrc=|url\(|@import|fetch\(`)
)

// files returns the files below a folder with their content.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		src, err := os.ReadFile(file)
		name, _ := filepath.Rel(dir, file)
		all[filepath.ToSlash(name)] = string(src)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

// valid fails the test unless a site is as [inspect] wants it. It returns the pages of runs
// that the index leads to.
func valid(t *testing.T, dir string) []string {
	t.Helper()
	linked, problems := inspect(files(t, dir))
	for _, p := range problems {
		t.Error(p)
	}
	return linked
}

// inspect follows every link of every page, each of which must lead somewhere in the site,
// and looks for cut-off pages and for what a page would load.
func inspect(all map[string]string) (linked, problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for name, src := range all {
		if !strings.HasSuffix(name, ".html") {
			continue
		}
		if !strings.HasPrefix(src, "<!doctype html>") || !strings.HasSuffix(src, "</html>\n") {
			problem("%s is cut off", name)
		}
		if m := loaded.FindString(src); m != "" {
			problem("%s has %q", name, m)
		}
		for _, m := range hrefs.FindAllStringSubmatch(src, -1) {
			if strings.HasPrefix(m[1], "data:") {
				continue
			}
			file, fragment, _ := strings.Cut(m[1], "#")
			at := name
			if file != "" {
				at = path.Join(path.Dir(name), file)
			}
			target, ok := all[at]
			if !ok || strings.HasPrefix(m[1], "/") || strings.Contains(m[1], ":") {
				problem("%s leads to %q, which is not in the site", name, m[1])
			}
			if fragment != "" && !strings.Contains(target, ` id="`+fragment+`"`) {
				problem("%s leads to %q, which is not on that page", name, m[1])
			}
			if name == site.Index && strings.HasPrefix(file, "runs/") && !slices.Contains(linked, file) {
				linked = append(linked, file)
			}
		}
	}
	slices.Sort(linked)
	return linked, problems
}

// The inspection finds such faults.
func TestInspect(t *testing.T) {
	for content, want := range map[string]string{
		`<a href="runs/1.html">`:              `index.html leads to "runs/1.html", which is not in the site`,
		`<a href="/index.html">`:              `index.html leads to "/index.html", which is not in the site`,
		`<a href="https://example.com/">`:     `index.html leads to "https://example.com/", which is not in the site`,
		`<a href="#x"><p id="y">`:             `index.html leads to "#x", which is not on that page`,
		`<img src="data:,">`:                  `index.html has "<img"`,
		`<a href="#x"><p id="x"></html>there`: "index.html is cut off",
	} {
		src := "<!doctype html>" + content
		if !strings.Contains(content, "</html>") {
			src += "</html>\n"
		}
		if _, got := inspect(map[string]string{site.Index: src}); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", content, got, want)
		}
	}
}

// A site has a page for each run, and all links lead to one of them.
func TestPublish(t *testing.T) {
	root, dir := t.TempDir(), filepath.Join(t.TempDir(), "new", "site")
	half := day(9)
	half.Trials, half.Complete = half.Trials[:5], false
	store(t, root, day(1), day(2), day(3), half)
	r, wrote := publish(t, root, dir)
	if len(r.Added) != 3 || r.Unchanged+len(r.Gone) > 0 || len(r.History.Omitted) != 1 {
		t.Errorf("%+v", r)
	}
	if len(wrote) != 8 || wrote[len(wrote)-1] != site.Index || wrote[len(wrote)-2] != "data/history.json" || !strings.HasPrefix(wrote[0], "runs/") || !strings.HasPrefix(wrote[1], "data/runs/") {
		t.Errorf("wrote %q", wrote)
	}
	if linked := valid(t, dir); len(linked) != 3 {
		t.Errorf("the index leads to %q", linked)
	}
	index := files(t, dir)[site.Index]
	if !strings.Contains(index, "not finished: 5 of 12 trials") {
		t.Error("the unfinished run is not named")
	}
}

// Only new runs are written, and a second time nothing; runs without records stay, so that
// another machine can add its own.
func TestPublishIsIncremental(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	store(t, root, day(1), day(3))
	publish(t, root, dir)
	before := files(t, dir)
	if r, wrote := publish(t, root, dir); len(wrote) > 0 || len(r.Added) > 0 || r.Unchanged != 2 {
		t.Errorf("wrote %q again", wrote)
	}
	elsewhere := t.TempDir()
	store(t, elsewhere, day(5))
	r, wrote := publish(t, elsewhere, dir)
	if len(r.Added) != 1 || len(r.Gone) != 2 || len(wrote) != 4 || len(r.History.Groups) != 1 || len(r.History.Groups[0].Runs) != 3 {
		t.Errorf("%+v, wrote %q", r, wrote)
	}
	after := files(t, dir)
	for name := range before {
		if strings.HasPrefix(name, "runs/") && after[name] != before[name] {
			t.Errorf("%s was written again", name)
		}
	}
	if linked := valid(t, dir); len(linked) != 3 {
		t.Errorf("the index leads to %q", linked)
	}
}

// What is missing or damaged in a site is written again if the record is there, else named.
func TestPublishMends(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	store(t, root, day(1), day(3))
	publish(t, root, dir)
	want := files(t, dir)
	one := day(1).Header.ID
	for name, damage := range map[string]func() error{
		"a missing page": func() error { return os.Remove(filepath.Join(dir, "runs", one+".html")) },
		"missing data":   func() error { return os.Remove(filepath.Join(dir, "data", "runs", one+".json")) },
		"damaged data": func() error {
			return os.WriteFile(filepath.Join(dir, "data", "runs", one+".json"), []byte(`{"schema":1`), 0o644)
		},
		"a missing index": func() error { return os.Remove(filepath.Join(dir, site.Index)) },
		"a leftover": func() error {
			path := filepath.Join(dir, "runs", "."+one+".html.123")
			long := time.Now().Add(-2 * time.Hour)
			return errors.Join(os.WriteFile(path, []byte("half"), 0o600), os.Chtimes(path, long, long))
		},
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		publish(t, root, dir)
		if got := files(t, dir); !maps.Equal(got, want) {
			t.Errorf("%s was not mended", name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "runs", one+".json"), []byte(`{"schema":99}`), 0o644); err != nil {
		t.Fatal(err)
	}
	r, _ := publish(t, t.TempDir(), dir)
	if len(r.History.Omitted) != 1 || r.History.Omitted[0].Why != "data/runs/"+one+".json: schema 99 is not supported (this version reads schema 1)" {
		t.Errorf("%+v", r.History.Omitted)
	}
	if linked := valid(t, dir); len(linked) != 1 {
		t.Errorf("the index leads to %q", linked)
	}
}

// Somebody else's folder is not touched.
func TestPublishRefuses(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	store(t, root, day(1))
	stored, err := history.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, site.Index)
	if err := os.WriteFile(index, []byte("<h1>mine</h1>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Publish(t.Context(), dir, stored, nil); !errors.As(err, new(*site.NotOursError)) {
		t.Error(err)
	}
	if all := files(t, dir); len(all) != 1 || all[site.Index] != "<h1>mine</h1>" {
		t.Errorf("%q", all)
	}
	if _, err := site.Publish(t.Context(), index, stored, nil); err == nil || !strings.HasSuffix(err.Error(), ": it is a file; name a folder") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var interrupted *site.InterruptedError
	if _, err := site.Publish(ctx, filepath.Join(dir, "new"), stored, nil); !errors.As(err, &interrupted) || interrupted.Of != 1 {
		t.Error(err)
	}
}

// A publisher that is killed after any of its files leaves a valid site, with the index of
// before, and the next one completes it.
func TestKilledPublisher(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root, began := t.TempDir(), t.TempDir()
	store(t, root, day(1))
	publish(t, root, began)
	store(t, root, day(2), day(3))
	complete := t.TempDir()
	if err := os.CopyFS(complete, os.DirFS(began)); err != nil {
		t.Fatal(err)
	}
	publish(t, root, complete)
	want := files(t, complete)
	const written = 6 // two pages with their data, the history, and the index
	for n := 1; n <= written; n++ {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(began)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(executable)
		cmd.Env = append(os.Environ(), publisher+"="+root+"\n"+dir)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		last := ""
		for i := range n {
			if last, err = lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if i < n-1 {
				if _, err := in.Write([]byte("\n")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		linked := valid(t, dir)
		if n < written && len(linked) != 1 || n == written && (len(linked) != 3 || strings.TrimSpace(last) != site.Index) {
			t.Errorf("killed after file %d, %s: the index leads to %q", n, strings.TrimSpace(last), linked)
		}
		publish(t, root, dir)
		if got := files(t, dir); !maps.Equal(got, want) {
			t.Errorf("killed after file %d: the site is not completed", n)
		}
	}
}

// Credentials and folders of this machine are in no file of a site.
func TestPublishHasNoSecrets(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	run := day(1)
	run.Header.Environment.Database = "MongoDB 8 at mongodb://admin:hunter2@db.example/?authSource=admin"
	run.Header.Environment.Upstream = "https://user:hunter2@calls.example/v1?api_key=hunter2"
	run.Trials[0].Warnings = []string{"dial mongodb://admin:hunter2@db.example/: refused"}
	store(t, root, run)
	publish(t, root, dir)
	for name, src := range files(t, dir) {
		for _, secret := range []string{"hunter2", root, dir} {
			if strings.Contains(src, secret) {
				t.Errorf("%s contains %q", name, secret)
			}
		}
	}
}

// BenchmarkTrend reads 1,000 stored runs, whose entries are kept, and renders their trend.
func BenchmarkTrend(b *testing.B) {
	root := b.TempDir()
	record, err := runtest.Store(root, runtest.New(runtest.Options{Blocks: 6, Variants: runtest.Variants()[:4], Levels: []scenarios.LevelSet{{"items": []any{20, 50, 200}}}}))
	if err != nil {
		b.Fatal(err)
	}
	if err := runtest.Copies(root, record, 999); err != nil {
		b.Fatal(err)
	}
	if _, err := history.Read(root); err != nil {
		b.Fatal(err)
	}
	var page strings.Builder
	for b.Loop() {
		stored, err := history.Read(root)
		if err != nil {
			b.Fatal(err)
		}
		page.Reset()
		if err := html.Trend(&page, stored.History(history.Options{}), html.TrendOptions{}); err != nil {
			b.Fatal(err)
		}
		if len(stored.Entries) != 1000 {
			b.Fatalf("%d runs", len(stored.Entries))
		}
	}
	b.ReportMetric(float64(page.Len()), "page-B")
}
