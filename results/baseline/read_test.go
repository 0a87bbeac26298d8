package baseline_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results"
	"floodgate/results/baseline"
)

func scenarioOf(t *testing.T, run *results.Run) map[string]any {
	t.Helper()
	var sc map[string]any
	dec := json.NewDecoder(strings.NewReader(string(run.Header.Scenario)))
	dec.UseNumber()
	if err := dec.Decode(&sc); err != nil {
		t.Fatal(err)
	}
	return sc
}

// Removing or corrupting any line of a valid file is an error with a position, or means
// that the metric was unavailable.
func TestMistakes(t *testing.T) {
	good := string(must(t, made(nil)).Encode())
	for _, c := range []struct{ old, new, want string }{
		{"schema: 2", "schema: 1", "b.yaml:5:9: schema: must be 2, which this version reads: record a new baseline with \"gate baseline --update\" (got 1)"},
		{"schema: 2\n", "", "b.yaml:5:1: schema: missing; it must be a whole number"},
		{"seed: 0", "sede: 0", `b.yaml:8:1: unknown key "sede" (did you mean "seed"? want schema, `},
		{"seed: 0", "seed: 0\nseed: 0", `b.yaml:9:1: repeats key "seed", first on line 8`},
		{"seed: 0", "seed: 010", `b.yaml:8:7: seed: 010 has a leading zero, which could mean octal; write 10`},
		{"cores: 2", "cores: 02", `machine.cores: 02 has a leading zero, which could mean octal; write 2`},
		{"makespan_ms: [", "makespan_ms: [01.5, ", `makespan_ms[0]: 01.5 has a leading zero, which could mean octal; write 1.5`},
		{"seed: 0", "seed: -1", `b.yaml:8:7: seed: must be a whole number from 0 to 18446744073709551615 (got -1)`},
		{"quick: false", "quick: no", `quick: must be true or false (got "no")`},
		{`scenario: "report"`, `scenario: "../x"`, `b.yaml:6:11: scenario: must be letters`},
		{`hash: "`, `hash: "x`, "hash: must be 64 hexadecimal digits"},
		{`recorded: "2026-11-22"`, `recorded: "22.11.2026"`, "recorded: must be a day such as 2026-11-22"},
		{`kind: "embedded"`, `kind: "moon"`, `environment.kind: must be embedded, containers, external or kubernetes (got "moon")`},
		{"  cores: 2\n", "", "machine.cores: missing; it must be a whole number"},
		{"cores: 2", "cores: 0", "machine.cores: must be at least 1 (got 0)"},
		{"cores: 2\n", "cores: 2\n  gomaxprocs: -1\n", "machine.gomaxprocs: must be at least 1 (got -1)"},
		{"cores: 2\n", "cores: 2\n  cpu_quota: -0.5\n", "machine.cpu_quota: must be a number of cores above 0 (got -0.5)"},
		{`cpu: "`, `cpu: "\u0007`, "machine.cpu: must be printable text"},
		{"blocks: 8\n", "blocks: 0\n", "blocks: must be 1 to 100000 (got 0)"},
		{"blocks: [0, 1,", "blocks: [1, 0,", "cells[0].blocks[1]: must be an increasing number from 0 to 7 (got 0)"},
		{"blocks: [0, 1, 2, 3, 4, 5, 6, 7]", "blocks: [0, 1, 2, 3, 4, 5, 6]", "must have a value for each of the 7 blocks, or be omitted (got 8)"},
		{`variant: "joined-10"`, `variant: "sequential"`, "repeats an earlier cell (got \"sequential at items=20\")"},
		{"makespan_ms: [", "makespan_ms: [.nan, ", `makespan_ms[0]: must be a number (got NaN)`},
		{"makespan_ms: [", "makespan_ms: [-", "makespan_ms[0]: must be above 0"},
		{"makespan_ms: [", "makespan_ms: [1, ", "cells[0].makespan_ms: must have a value for each of the 8 blocks, or be omitted (got 9)"},
		{"estimate: 0.", "estimate: 0.1", "which follows from the makespans"},
		{"peak_descriptors: ", "peak_descriptors: -", "peak_descriptors: must be at least 1 (got -"},
		{"leaked_descriptors: 0", "leaked_descriptors: -1", "cells[0].leaked_descriptors: must be at least 0 (got -1)"},
		{"    unfinished_trials: 0\n", "", "cells[0].unfinished_trials: missing"},
		{"unfinished_trials: 0", "unfinished_trials: 1", "must be at most 0, as 8 of 8 trials were measured (got 1)"},
		{"errors: []", "errors: [{type: a, count: 1}, {type: a, count: 1}]", `cells[0].errors[1].type: must be unique among the errors (got "a")`},
		{"errors: []", "errors: [{type: a, count: 0}]", "cells[0].errors[0].count: must be at least 1 (got 0)"},
		{"errors: []", "errors: [{type: a}]", "cells[0].errors[0].count: missing"},
		{"lost: 0", "lost: 1", "cells[0].writes.lost: must be 0: a run with corrupt or lost writes cannot be a baseline (got 1)"},
		{"read: true, ", "", "cells[0].writes.read: missing"},
	} {
		src := strings.Replace(good, c.old, c.new, 1)
		if src == good {
			t.Fatalf("there is no %q in\n%s", c.old, good)
		}
		if _, err := baseline.Decode("b.yaml", []byte(src)); err == nil || !strings.Contains(err.Error(), c.want) || !placed.MatchString(err.Error()) {
			t.Errorf("%s → %s:\ngot  %v\nwant %s", c.old, c.new, err, c.want)
		}
	}
	for _, src := range []string{"", "# nothing\n", "[]", "schema: 2", "cells: []", "schema: 2\n---\nschema: 2", good + good} {
		if _, err := baseline.Decode("b.yaml", []byte(src)); err == nil {
			t.Errorf("%.40q is a baseline", src)
		}
	}
}

// placed matches errors each of whose lines starts with the file.
var placed = regexp.MustCompile(`^(b\.yaml:(\d+:\d+:)? .*\n?)+$`)

// The baseline of any possible run reads back unchanged.
func TestRoundTrip(t *testing.T) {
	template := must(t, made(nil))
	rapid.Check(t, func(t *rapid.T) {
		b := *template
		text := rapid.StringMatching(`[ -~äß√]{0,20}`)
		b.Seed, b.Quick, b.Modified = rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "quick"), rapid.Bool().Draw(t, "modified")
		b.Machine.CPU, b.Environment.Database, b.Reference = text.Draw(t, "cpu"), text.Draw(t, "database"), "nobody"
		b.Blocks = 6
		b.Cells = nil
		for i := range rapid.IntRange(1, 4).Draw(t, "cells") {
			c := baseline.Cell{Variant: fmt.Sprint(i, text.Draw(t, "variant")), Level: text.Draw(t, "level"), Blocks: []int{}, Errors: []baseline.Error{}}
			for block := range b.Blocks {
				if rapid.Bool().Draw(t, "measured") {
					c.Blocks = append(c.Blocks, block)
				}
			}
			series := rapid.SliceOfN(rapid.Float64Range(1e-300, 1e300), len(c.Blocks), len(c.Blocks))
			for _, list := range []*[]float64{&c.Makespan, &c.Efficiency, &c.ItemP50, &c.CPU, &c.Memory, &c.Allocs} {
				if len(c.Blocks) > 0 && rapid.Bool().Draw(t, "available") {
					*list = series.Draw(t, "values")
				}
			}
			if rapid.Bool().Draw(t, "counted") {
				c.Peak, c.Leaked = new(rapid.IntRange(1, 1e6).Draw(t, "peak")), new(rapid.IntRange(0, 1e6).Draw(t, "left"))
				c.Errors = []baseline.Error{{Type: "x" + text.Draw(t, "type"), Count: rapid.IntRange(1, 1e6).Draw(t, "count")}}
				c.Writes = &baseline.Writes{Checked: 1, Read: rapid.Bool().Draw(t, "read")}
			}
			b.Cells = append(b.Cells, c)
		}
		src := b.Encode()
		got, err := baseline.Decode("b.yaml", src)
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		if diff := cmp.Diff(&b, got); diff != "" {
			t.Fatalf("%s\n%s", diff, src)
		}
	})
}

// A baseline may have a byte-order mark and any line ends, and positions of mistakes do
// not depend on them.
func TestDecodeFromAnyEditor(t *testing.T) {
	want := must(t, made(nil))
	good := string(want.Encode())
	bad := strings.Replace(good, "seed: 0", "sede: 0", 1)
	_, wantErr := baseline.Decode("b.yaml", []byte(bad))
	if wantErr == nil {
		t.Fatal("no error")
	}
	for _, end := range []string{"\n", "\r\n", "\r"} {
		for _, mark := range []string{"", "\uFEFF"} {
			store := func(text string) []byte { return []byte(mark + strings.ReplaceAll(text, "\n", end)) }
			got, err := baseline.Decode("b.yaml", store(good))
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("line end %q, mark %q: %v\n%s", end, mark, err, diff)
			}
			if _, err := baseline.Decode("b.yaml", store(bad)); err == nil || err.Error() != wantErr.Error() {
				t.Errorf("line end %q, mark %q: %v, want %v", end, mark, err, wantErr)
			}
		}
	}
}

// An accepted file encodes to itself, and the error about any other has a position.
func FuzzDecode(f *testing.F) {
	run := made(nil)
	b, err := baseline.FromRun(run)
	if err != nil {
		f.Fatal(err)
	}
	good := b.Encode()
	f.Add(good)
	f.Add([]byte(strings.Replace(string(good), "items=20", "x", 1)))
	f.Add([]byte("schema: 2\ncells:\n- variant: a\n  blocks: [0]\n  makespan_ms: [.inf]\n"))
	f.Add([]byte("cells: [{}, {variant: }]"))
	f.Add([]byte("\uFEFF" + strings.ReplaceAll(string(good), "\n", "\r\n")))
	f.Add([]byte("seed: 010\r\ncells: [}\r\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		b, err := baseline.Decode("b.yaml", src)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "b.yaml:") {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		again, err := baseline.Decode("b.yaml", b.Encode())
		if err != nil {
			t.Fatalf("%v\n%s", err, b.Encode())
		}
		if string(again.Encode()) != string(b.Encode()) {
			t.Fatal("not a fixed point")
		}
		if c, err := baseline.Compare("b.yaml", b, run, baseline.Options{}); err == nil && c.Counts == nil {
			t.Fatal("no counts")
		}
	})
}
