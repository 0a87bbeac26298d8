package results_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/compare"
	"floodgate/results/history"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// differing returns, for each property, two values of a run, and one that lacks it.
func differing() map[string][3]func(r *results.Run) {
	type change = func(r *results.Run)
	three := func(a, b, lacking change) [3]change { return [3]change{a, b, lacking} }
	print := func(a, b, lacking func(f *results.Fingerprint)) [3]change {
		return three(func(r *results.Run) { a(&r.Header.Fingerprint) }, func(r *results.Run) { b(&r.Header.Fingerprint) }, func(r *results.Run) { lacking(&r.Header.Fingerprint) })
	}
	env := func(a, b, lacking func(e *results.Environment)) [3]change {
		return three(func(r *results.Run) { a(&r.Header.Environment) }, func(r *results.Run) { b(&r.Header.Environment) }, func(r *results.Run) { lacking(&r.Header.Environment) })
	}
	sut := func(a, b results.SUT) [3]change {
		of := func(s results.SUT) change { return func(r *results.Run) { r.Header.SUT = &s } }
		return three(of(a), of(b), of(results.SUT{}))
	}
	same := func(*results.Environment) {}
	none := func(*results.Run) {} // a record cannot lack it
	type p = results.Fingerprint
	type e = results.Environment
	return map[string][3]change{
		"CPU":          print(func(f *p) { f.CPU = "AMD" }, func(f *p) { f.CPU = "Intel" }, func(f *p) { f.CPU = "unknown" }),
		"cores":        print(func(f *p) { f.Cores = 2 }, func(f *p) { f.Cores = 8 }, func(f *p) { f.Cores = 0 }),
		"processors":   print(func(f *p) { f.GOMAXPROCS = 2 }, func(f *p) { f.GOMAXPROCS, f.CPUQuota = 2, 1.5 }, func(f *p) { f.GOMAXPROCS = 0 }),
		"memory":       print(func(f *p) { f.Memory = 8 << 30 }, func(f *p) { f.Memory = 16 << 30 }, func(f *p) { f.Memory = 0 }),
		"memory limit": print(func(f *p) { f.MemoryLimit = results.NoLimit }, func(f *p) { f.MemoryLimit = 512 << 20 }, func(f *p) { f.MemoryLimit = 0 }),
		"governor":     print(func(f *p) { f.Governor = "performance" }, func(f *p) { f.Governor = "powersave" }, func(f *p) { f.Governor = "" }),
		"pinning": three(none, func(r *results.Run) {
			r.Header.Fingerprint.Pinning = "SUT 2-3; generator 0; servers 1"
		}, none),
		"profiles":         three(none, func(r *results.Run) { r.Header.Profiles = []string{"cpu", "heap"} }, none),
		"traces":           three(none, func(r *results.Run) { r.Header.Traces = true }, none),
		"system":           print(func(f *p) { f.OS = "linux" }, func(f *p) { f.OS = "windows" }, func(f *p) { f.OS = "" }),
		"architecture":     print(func(f *p) { f.Arch = "amd64" }, func(f *p) { f.Arch = "arm64" }, func(f *p) { f.Arch = "" }),
		"kernel":           print(func(f *p) { f.Kernel = "6.1" }, func(f *p) { f.Kernel = "6.8" }, func(f *p) { f.Kernel = "unknown" }),
		"Go":               print(func(f *p) { f.Go = "go1.26.8" }, func(f *p) { f.Go = "go1.27" }, func(f *p) { f.Go = "" }),
		"nofile":           print(func(f *p) { f.NoFile = 1024 }, func(f *p) { f.NoFile = 4096 }, func(f *p) { f.NoFile = 0 }),
		"environment":      env(same, func(e *e) { e.Kind = "external" }, same),
		"database":         env(same, func(e *e) { e.Database = "MongoDB 8.0.4" }, same),
		"database version": env(same, func(e *e) { e.Database = "FerretDB 1.25.0 (SQLite)" }, same),
		"upstream":         env(same, func(e *e) { e.Upstream = "https://calls.example" }, same),
		"system under test in a": three(none, func(r *results.Run) {
			for i := range r.Trials {
				r.Trials[i].Container = &results.Container{Name: "sut"}
			}
		}, none),
		"limits of containers": env(same, func(e *e) { e.Containers = []results.Container{{Name: "database", CPUs: 1, Memory: 1 << 30}} }, same),
		"container engine":     env(same, func(e *e) { e.Engine = "Docker 28.0" }, same),
		"container images":     env(same, func(e *e) { e.Containers = []results.Container{{Name: "database", Image: "mongo:8"}} }, same),
		"allowed targets":      env(same, func(e *e) { e.Targets = []string{"db"} }, same),
		"toolchain":            sut(results.SUT{Toolchain: "go1.26.8"}, results.SUT{Toolchain: "go1.27"}),
		"C library":            sut(results.SUT{CLibrary: "glibc 2.36"}, results.SUT{CLibrary: "musl"}),
		"C library version":    sut(results.SUT{CLibrary: "glibc 2.36"}, results.SUT{CLibrary: "glibc 2.41"}),
		"revision of Floodgate": print(func(f *p) { f.Revision = "031258104c3b1d0a" }, func(f *p) { f.Revision, f.Modified = "031258104c3b1d0a", true },
			func(f *p) { f.Revision = "" }),
		"revision of the program": sut(results.SUT{Repository: "app", Revision: "a"}, results.SUT{Repository: "app", Revision: "b"}),
	}
}

// atSetting returns a run in a setting, with an ID of its own.
func atSetting(day int, change func(r *results.Run)) *results.Run {
	run := runtest.New(runtest.Options{Blocks: 6, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{20}}}})
	run.Header.ID = fmt.Sprintf("202611%02d-000000.000-aaaaaa", day)
	run.Header.Started = run.Header.Started.AddDate(0, 0, day)
	change(run)
	return run
}

// uses describes what gate, compare, history, resume and merge make of two runs.
func uses(t *testing.T, a, b *results.Run) string {
	t.Helper()
	var out strings.Builder
	line := func(use, format string, args ...any) {
		text := strings.TrimSpace(fmt.Sprintf(format, args...))
		fmt.Fprintf(&out, "  %-8s %s\n", use, cmpOr(text, "no difference"))
	}
	base, err := baseline.FromRun(a)
	if err != nil {
		t.Fatal(err)
	}
	gate, err := baseline.Compare("b.yaml", base, b, baseline.Options{Margin: 0.1, ShareMargin: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]bool{}
	for _, row := range gate.Rows {
		if row.Decision == verdict.NotComparable {
			refused[row.Metric] = true
			if row.Why != strings.Join(gate.Machines, "; ") {
				t.Errorf("%s is not comparable: %s, want %s", row.Metric, row.Why, gate.Machines)
			}
		}
	}
	line("gate", "%s", described(slices.Sorted(maps.Keys(refused)), gate.Machines, gate.Differences))
	c, err := compare.Compare(a, b, compare.Options{})
	if mixed := new(compare.MixedError); errors.As(err, &mixed) {
		line("compare", "refused: %s", strings.Join(mixed.How, "; "))
	} else if err != nil {
		t.Fatal(err)
	} else if c.Local {
		line("compare", "times, CPU time and memory are not comparable: %s", strings.Join(c.Differences, "; "))
	} else {
		line("compare", "%s", strings.Join(c.Differences, "; "))
	}
	var collected history.Collector
	collected.Add(b)
	collected.Add(a)
	groups := collected.History(history.Options{}).Groups
	line("history", "%s", map[bool]string{true: strings.Join(groups[0].Notes, "; "), false: "separate groups"}[len(groups) == 1])
	settings := a.Setting().Compare(b.Setting())
	line("resume", "%s", prefixed("refused: ", strings.Join(settings.Unmixable(), "; ")))
	line("merge", "%s", prefixed("refused: ", strings.Join(settings.Unmergeable(), "; ")))
	return out.String()
}

func described(refused, why, notes []string) string {
	var parts []string
	if len(refused) > 0 {
		parts = append(parts, fmt.Sprintf("%s are not comparable: %s", strings.Join(refused, ", "), strings.Join(why, "; ")))
	}
	return strings.Join(append(parts, notes...), "; ")
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func cmpOr(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// Each row of the table has the same effect everywhere, and a run that did not record
// the property is refused only where the table says so.
func TestPropertiesDecideComparability(t *testing.T) {
	changes := differing()
	var out strings.Builder
	for _, p := range results.Properties() {
		c, known := changes[p.Name]
		if !known {
			t.Fatalf("%s has no case", p.Name)
		}
		delete(changes, p.Name)
		fmt.Fprintf(&out, "%s: %s\n", p.Name, p.Breaks)
		out.WriteString(uses(t, atSetting(1, c[0]), atSetting(2, c[1])))
		if one, lacks := atSetting(1, c[0]), atSetting(2, c[2]); p.Value(lacks.Setting()) == "" && p.Value(one.Setting()) != "" {
			fmt.Fprintf(&out, "%s, not recorded in the second run\n", p.Name)
			out.WriteString(uses(t, one, lacks))
		}
	}
	if len(changes) > 0 {
		t.Errorf("cases without a property: %q", slices.Sorted(maps.Keys(changes)))
	}
	const golden = "testdata/comparability.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}

// A run of the same setting differs in nothing.
func TestSameSetting(t *testing.T) {
	a := atSetting(1, func(*results.Run) {}).Setting()
	if all := a.Compare(a); len(all) != 0 {
		t.Errorf("%v", all)
	}
}

// Runs that lack a property join the only group that they fit, in whatever order they are
// collected, and none if there are several.
func TestHistoryOfRunsThatLackAProperty(t *testing.T) {
	governor := func(name string) func(*results.Run) {
		return func(r *results.Run) { r.Header.Fingerprint.Governor = name }
	}
	for want, runs := range map[string][]*results.Run{
		"3":     {atSetting(1, governor("")), atSetting(2, governor("performance")), atSetting(3, governor(""))},
		"2 1 1": {atSetting(1, governor("")), atSetting(2, governor("powersave")), atSetting(3, governor("performance")), atSetting(4, governor(""))},
	} {
		for range 2 {
			slices.Reverse(runs)
			var c history.Collector
			for _, r := range runs {
				c.Add(r)
			}
			var sizes []string
			for _, g := range c.History(history.Options{}).Groups {
				sizes = append(sizes, fmt.Sprint(len(g.Runs)))
			}
			if got := strings.Join(sizes, " "); got != want {
				t.Errorf("groups of %s runs, want %s", got, want)
			}
		}
	}
}
