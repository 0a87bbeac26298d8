package mockupstream_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/mockupstream"
	"floodgate/mockupstream/strictyaml"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const fullProfile = `# everything there is
latency: {distribution: percentiles, p50: 20ms, p95: 60ms, p99: 250ms, max: 1s}
body: {distribution: lognormal, min_records: 1, max_records: 200, median_records: 20, sigma: 0.8}
faults:
  - {kind: status, status: 503, probability: 0.01}
  - {kind: hang, for: 5s, probability: 0.001}
capacity: {workers: 50, queue: 100, full: "429", retry_after: 2s}
rate: {per_second: 500, burst: 50}
late_bound: 1ms
late_p99_bound: 5ms
phases:
  - after: 30s
    latency: {distribution: replay, file: slow.txt}
    faults: []
    capacity: {workers: 0}
    rate: {per_second: 0}
`

func TestLoadProfile(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "profile.yaml", fullProfile)
	write(t, dir, "slow.txt", "# slow ones\n100ms\n\n 1.5s \n")
	got, err := mockupstream.LoadProfile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := mockupstream.Profile{
		Latency: mockupstream.Distribution{Kind: "percentiles", P50: 20 * ms, P95: 60 * ms, P99: 250 * ms, Max: 1000 * ms},
		Body:    mockupstream.Body{Kind: "lognormal", Min: 1, Max: 200, Median: 20, Sigma: 0.8},
		Faults: []mockupstream.Fault{
			{Kind: "status", Status: 503, Probability: 0.01}, {Kind: "hang", For: 5000 * ms, Probability: 0.001},
		},
		Capacity:  &mockupstream.Capacity{Workers: 50, Queue: 100, Full: "429", RetryAfter: 2000 * ms},
		Rate:      &mockupstream.RateLimit{PerSecond: 500, Burst: 50},
		LateBound: ms, LateP99Bound: 5 * ms,
		Phases: []mockupstream.Phase{{
			After:   30_000 * ms,
			Latency: &mockupstream.Distribution{Kind: "replay", File: "slow.txt", Samples: []mockupstream.Duration{100 * ms, 1500 * ms}},
			Faults:  []mockupstream.Fault{}, Capacity: &mockupstream.Capacity{}, Rate: &mockupstream.RateLimit{},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text, err := yaml.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	again, err := mockupstream.ParseProfile("again.yaml", text)
	if diff := cmp.Diff(want, again); err != nil || diff != "" {
		t.Errorf("%v in\n%s\n%s", err, text, diff)
	}
}

// The error about a mistake names the file, the line, the text and the allowed values.
func TestProfileErrors(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"empty", "", `p.yaml:1:1: the file is empty (want latency, request, records, body, faults`},
		{"comment only", "# nothing\n", `p.yaml:1:1: the file is empty (want latency`},
		{"unknown key", "latency:\n  distribution: lognormal\n  medain: 20ms\n", `p.yaml:3:3: latency: unknown key "medain" (did you mean "median"? want distribution, value, min, max, median, sigma, p50, p95, p99, plus, file or samples)`},
		{"unknown and far", "whatever: 1\n", `p.yaml:1:1: unknown key "whatever" (want latency, request, records, body, faults, capacity, rate, phases, late_bound or late_p99_bound)`},
		{"repeated key", "late_bound: 1ms\nlate_bound: 2ms\n", `p.yaml:2:1: repeats key "late_bound", first on line 1`},
		{"unit missing", "latency: {distribution: constant, value: 20}\n", `p.yaml:1:42: latency.value: must be a duration with its unit (ns, us, ms, s, m or h), such as "20ms" or "1m30s" (got 20)`},
		{"leading zero", "capacity: {workers: 010}\n", `p.yaml:1:21: capacity.workers: 010 has a leading zero, which could mean octal; write 10`},
		{"duration with a leading zero", "late_bound: 010ms\n", `p.yaml:1:13: late_bound: 010ms has a leading zero; write 10ms`},
		{"CRLF with comments", "# one\r\n# two\r\nlate_bond: 1ms\r\n", `p.yaml:3:1: unknown key`},
		{"UTF-16", "\xFF\xFEr\x00", `p.yaml:1:1: the file is encoded as UTF-16; save it as UTF-8`},
		{"bad duration", "latency: {distribution: constant, value: soon}\n", `p.yaml:1:42: latency.value: must be a duration with its unit (ns, us, ms, s, m or h), such as "20ms" or "1m30s" (got "soon")`},
		{"list for a duration", "late_bound: [1ms]\n", `p.yaml:1:13: late_bound: must be a duration with its unit (ns, us, ms, s, m or h), such as "20ms" or "1m30s" (got a list)`},
		{"kind", "latency: {distribution: normal}\n", `p.yaml:1:25: latency.distribution: must be constant, uniform, lognormal, percentiles or replay (got "normal")`},
		{"fraction of a record", "body: {min_records: 1.5}\n", `p.yaml:1:21: body.min_records: must be a whole number (got 1.5)`},
		{"text for a number", "body: {min_records: \"1\"}\n", `p.yaml:1:21: body.min_records: must be a whole number (got "1")`},
		{"number for a text", "capacity: {workers: 1, full: 429}\n", `p.yaml:1:30: capacity.full: must be text; quote it if it is meant as text (got 429)`},
		{"no number", "rate: {per_second: .nan}\n", `p.yaml:1:20: rate.per_second: must be a number (got NaN)`},
		{"scalar for a mapping", "latency: fast\n", `p.yaml:1:10: latency: must be a mapping with distribution, value, min, max, median, sigma, p50, p95, p99, plus, file or samples (got "fast")`},
		{"no value", "latency:\n", `latency: has no value; it must be a mapping with distribution`},
		{"mapping for a list", "faults: {kind: reset}\n", `faults: must be a list (got a mapping)`},
		{"anchor", "latency: &a {distribution: constant}\n", `anchors and aliases are not supported`},
		{"two documents", "late_bound: 1ms\n---\nlate_bound: 1ms\n", `p.yaml:3:1: a file holds one document, and another begins here`},
		{"syntax", "latency: {distribution: constant\n", `p.yaml:`},
		{"in a list", "faults:\n  - {kind: reset, probability: 0.1}\n  - kind: status\n    status: 500\n    probability: 2\n", `p.yaml:5:18: faults[1].probability: must be 0 to 1 (got 2)`},
		{"missing kind", "faults: [{probability: 1}]\n", `p.yaml:1:10: faults[0].kind: missing; it must be text`},
		{"missing status", "faults:\n  - {kind: reset, probability: 0.1}\n  - kind: status\n    probability: 1\n", `p.yaml:3:5: faults[1].status: must be 400 to 599 (got 0)`},
		{"stray status", "faults: [{kind: reset, probability: 1, status: 500}]\n", `p.yaml:1:40: faults[0].status: applies to kind status, not to reset`},
		{"stray for", "faults: [{kind: close, probability: 1, for: 5s}]\n", `faults[0].for: applies to kinds hang and slow, not to close`},
		{"fault kind", "faults: [{kind: explode, probability: 1}]\n", `faults[0].kind: must be status, reset, hang, truncate, slow or close (got "explode")`},
		{"stray field", "latency: {distribution: constant, value: 1ms, sigma: 1}\n", `latency.sigma: does not apply to distribution constant (want value or plus)`},
		{"no distribution", "latency: {median: 1ms}\n", `latency.median: needs a distribution, which is missing (want constant, uniform`},
		{"sigma", "latency: {distribution: lognormal, median: 1ms, sigma: -1}\n", `latency.sigma: must be 0 to 5 (got -1)`},
		{"no median", "latency: {distribution: lognormal}\n", `latency.median: must be more than 0s and at most 24h0m0s (got 0s)`},
		{"percentiles", "latency: {distribution: percentiles, p50: 2ms, p95: 1ms, p99: 3ms}\n", `latency.p95: must be at least p50, 2ms (got 1ms)`},
		{"bounds", "latency: {distribution: uniform, min: 2ms, max: 1ms}\n", `latency.min: must be at most max, 1ms (got 2ms)`},
		{"negative", "latency: {distribution: constant, value: -1ms}\n", `latency.value: must be 0s to 24h0m0s (got -1ms)`},
		{"replay of nothing", "latency: {distribution: replay}\n", `latency.file: missing; it must be a file with one duration a line, unless there are samples`},
		{"records", "body: {min_records: 5, max_records: 2}\n", `body.min_records: must be at most max_records, 2 (got 5)`},
		{"body sigma", "body: {sigma: 2}\n", `body.sigma: does not apply to distribution uniform`},
		{"body kind", "body: {distribution: normal}\n", `body.distribution: must be uniform or lognormal (got "normal")`},
		{"workers", "capacity: {workers: 0}\n", `p.yaml:1:21: capacity.workers: must be 1 to 1000000 (got 0)`},
		{"full", "capacity: {workers: 1, full: drop}\n", `capacity.full: must be wait, 429 or 503 (got "drop")`},
		{"rate", "rate: {per_second: 0}\n", `rate.per_second: must be more than 0 and at most 1e9 (got 0)`},
		{"burst", "rate: {per_second: 1, burst: -1}\n", `rate.burst: must be at least 0, which means 1 (got -1)`},
		{"phase order", "phases: [{after: 2s}, {after: 1s}]\n", `phases[1].after: must be later than the phase before, 2s (got 1s)`},
		{"phase rate", "phases: [{after: 2s, rate: {per_second: -1}}]\n", `phases[0].rate.per_second: must be 0 (no limit) to 1e9 (got -1)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := mockupstream.ParseProfile("p.yaml", []byte(c.src))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// A profile and its file of delays may have a byte-order mark and any line ends.
func TestProfileFromAnyEditor(t *testing.T) {
	const profile, delays = "# a profile\nlatency: {distribution: replay, file: d.txt}\n# more\nlate_bound: 3ms\n", "# delays\n10ms\n\n30ms\n"
	want := mockupstream.Profile{
		Latency:   mockupstream.Distribution{Kind: "replay", File: "d.txt", Samples: []mockupstream.Duration{10 * ms, 30 * ms}},
		LateBound: 3 * ms,
	}
	for _, end := range []string{"\n", "\r\n", "\r"} {
		for _, mark := range []string{"", "\uFEFF"} {
			store := func(text string) string { return mark + strings.ReplaceAll(text, "\n", end) }
			dir := t.TempDir()
			path := write(t, dir, "p.yaml", store(profile))
			file := write(t, dir, "d.txt", store(delays))
			got, err := mockupstream.LoadProfile(path)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("line end %q, mark %q: %v\n%s", end, mark, err, diff)
			}
			write(t, dir, "d.txt", store(delays+"010ms\n"))
			if _, err := mockupstream.LoadProfile(path); err == nil || !strings.Contains(err.Error(), file+":5: 010ms has a leading zero; write 10ms") {
				t.Errorf("line end %q, mark %q: %v", end, mark, err)
			}
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := mockupstream.ParseProfile("p.yaml", []byte("latency: {distribution: lognormal, sigma: 9}\nbody: {min_records: -1, max_records: -1}\n"))
	for _, want := range []string{"latency.median", "latency.sigma", "body.min_records", "body.max_records"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in %v", want, err)
		}
	}
	var field *strictyaml.Error
	if !errors.As(err, &field) || field.Path != "latency.median" {
		t.Errorf("errors.As: %v", field)
	}
}

func TestReplayErrors(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "p.yaml", "latency: {distribution: replay, file: d.txt}\n")
	for name, c := range map[string]struct{ src, want string }{
		"bad line": {"1ms\n\nsoon\n", `d.txt:3: must be a duration with its unit (ns, us, ms, s, m or h), such as "20ms" or "1m30s" (got "soon")`},
		"negative": {"-1ms\n", `d.txt:1: a delay must be 0s to 24h0m0s (got "-1ms")`},
		"empty":    {"# none\n", `d.txt has no delays; write one duration a line`},
	} {
		write(t, dir, "d.txt", c.src)
		if _, err := mockupstream.LoadProfile(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "d.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := mockupstream.LoadProfile(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "latency.file") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := mockupstream.LoadProfile(filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing profile: %v", err)
	}
	unread := mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "replay", File: "d.txt"}}
	if _, err := mockupstream.New(unread, 1); err == nil || !strings.Contains(err.Error(), `the file "d.txt" has not been read`) {
		t.Errorf("New with an unread replay: %v", err)
	}
}

func TestDurationCodecs(t *testing.T) {
	type holder struct {
		D mockupstream.Duration `yaml:"d,omitempty" json:"d,omitzero"`
	}
	rapid.Check(t, func(t *rapid.T) {
		in := holder{mockupstream.Duration(rapid.Int64().Draw(t, "ns"))}
		for name, codec := range map[string]struct {
			marshal   func(any) ([]byte, error)
			unmarshal func([]byte, any) error
		}{
			"json": {json.Marshal, json.Unmarshal},
			"yaml": {yaml.Marshal, func(b []byte, v any) error { return yaml.Unmarshal(b, v) }},
		} {
			text, err := codec.marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			var out holder
			if err := codec.unmarshal(text, &out); err != nil || out != in {
				t.Fatalf("%s: %v became %s became %v: %v", name, in, text, out, err)
			}
		}
	})
	for want, d := range map[string]mockupstream.Duration{`{"d":"20ms"}`: 20 * ms, `{}`: 0} {
		if got, err := json.Marshal(holder{d}); err != nil || string(got) != want {
			t.Errorf("%v: %s, %v, want %s", time.Duration(d), got, err, want)
		}
	}
	var h holder
	if err := json.Unmarshal([]byte(`{"d":"20"}`), &h); err == nil || !strings.Contains(err.Error(), `must be a duration with its unit`) {
		t.Errorf("duration without unit: %v", err)
	}
}

// FuzzParseProfile checks that an accepted profile is valid and survives YAML and JSON.
func FuzzParseProfile(f *testing.F) {
	f.Add([]byte(fullProfile))
	f.Add([]byte("latency: {distribution: lognormal, median: 20ms, sigma: 0.5}\n"))
	f.Add([]byte("faults:\n- kind: slow\n  probability: 1e-3\n  for: 1m\n"))
	f.Add([]byte("\uFEFF# a\r\nlatency: {distribution: uniform, max: 010ms}\r\n"))
	f.Add([]byte("capacity: {workers: 010}\rfaults: []}\r"))
	f.Add([]byte("latency:\n}\n"))
	f.Add([]byte("a: &x [*x]\n<<: *x\n? [1]\n: !!int 3\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := mockupstream.ParseProfile("fuzz.yaml", src)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz.yaml:") {
				t.Fatalf("error without file: %v", err)
			}
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var again mockupstream.Profile
		if err := json.Unmarshal(text, &again); err != nil || again.Validate() != nil {
			t.Fatalf("%s: %v, %v", text, err, again.Validate())
		}
		if string(text) != "{}" { // ParseProfile refuses an empty profile; all other JSON is YAML
			if again, err = mockupstream.ParseProfile("again.yaml", text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(text) {
			t.Fatalf("%s became %s: %v", text, second, err)
		}
		p.At(time.Hour).Draw(1, "+1", 1)
	})
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
