package scenarios_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"floodgate/mockupstream"
	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// Every built-in scenario loads, keeps with --quick what its claims need, and can start
// under its limit of descriptors.
func TestBuiltins(t *testing.T) {
	if diff := cmp.Diff([]string{"adaptive", "connections", "crawl", "exhaustion", "report", "report-2017", "service", "slow-writes"}, scenarios.BuiltinNames()); diff != "" {
		t.Error(diff)
	}
	all, err := scenarios.Builtins()
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range all {
		if s.Name != scenarios.BuiltinNames()[i] || s.Title == "" {
			t.Errorf("file %s holds scenario %s, %q", scenarios.BuiltinNames()[i], s.Name, s.Title)
		}
		for _, one := range []*scenarios.Scenario{s, s.Quickened()} {
			for _, l := range expand(t, one) {
				for _, v := range one.Variants {
					if p := scenarios.Predict(v, l.Scenario); p.Total > l.Scenario.SUT.NoFile {
						t.Errorf("%s at %s: %s is predicted %d descriptors of %d", s.Name, l.Name, v.Name, p.Total, l.Scenario.SUT.NoFile)
					}
				}
			}
		}
	}
	if i := slices.Index(scenarios.BuiltinNames(), "service"); len(all[i].Thresholds) != 3 {
		t.Errorf("service has the thresholds %+v", all[i].Thresholds)
	}
	report := all[slices.Index(scenarios.BuiltinNames(), "report")]
	if got := len(report.Quickened().Claims); got != len(report.Claims) {
		t.Errorf("--quick judges %d of %d claims of report", got, len(report.Claims))
	}
}

func TestBuiltinUnknown(t *testing.T) {
	_, err := scenarios.Builtin("reprot")
	if err == nil || err.Error() != `unknown built-in scenario "reprot" (did you mean "report"? want adaptive, connections, crawl, exhaustion, report, report-2017, service or slow-writes)` {
		t.Errorf("got %v", err)
	}
}

func TestLoad(t *testing.T) {
	byName, err := scenarios.Builtin("report")
	if err != nil {
		t.Fatal(err)
	}
	byPath, err := scenarios.Load("report.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(byName, byPath); diff != "" {
		t.Error(diff)
	}
	if _, err := scenarios.Load("no/such.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A scenario needs only these fields; all others have defaults.
func TestDefaultSeedAndUpstream(t *testing.T) {
	const mandatory = "version: 1\nname: a\ntitle: A\nitems: {kind: phone-numbers}\nvariants: [{strategy: sequential}]\nlevels: [{items: 4}]\n"
	s := parse(t, mandatory)
	if s.Seed != scenarios.DefaultSeed || scenarios.DefaultSeed != 1 {
		t.Errorf("seed %d", s.Seed)
	}
	if diff := cmp.Diff(mockupstream.Profile{}, s.Upstream); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(s, parse(t, mandatory+"seed: 1\nblocks: 6\nupstream: {}\n")); diff != "" {
		t.Error(diff)
	}
	if s := parse(t, mandatory+"seed: 0\n"); s.Seed != 0 {
		t.Errorf("seed 0 became %d", s.Seed)
	}
	if err := compileSchema(t).Validate(instanceOf(t, mandatory)); err != nil {
		t.Errorf("the schema rejects it: %v", err)
	}
	for _, line := range strings.SplitAfter(strings.TrimSuffix(mandatory, "\n"), "\n") {
		src := strings.Replace(mandatory, line, "", 1)
		key, _, _ := strings.Cut(line, ":")
		if _, err := scenarios.Parse("a.yaml", []byte(src)); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("without %s: %v", key, err)
		}
	}
}

func instanceOf(t *testing.T, src string) any {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal([]byte(src), &doc); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return instance
}

// Unambiguous notations of numbers are accepted.
func TestNotationsOfNumbers(t *testing.T) {
	for text, want := range map[string]int{"10": 10, "0x10": 16, "0o10": 8, "1_000": 1000, "+5": 5, "1e3": 1000, "7.0": 7} {
		s := parse(t, strings.Replace(least, "limit: 10", "limit: "+text, 1)+"levels: [{items: 4}]\n")
		if got := s.Variants[1].Limit; got != want {
			t.Errorf("%s is read as %d", text, got)
		}
	}
}

func TestDefaults(t *testing.T) {
	s := parse(t, least+`
levels: [{items: [20, 50]}]
claims:
  - {id: a, statement: a, growth: {of: [bounded-10], reference: sequential}}
  - {id: b, statement: b, growth: {of: [bounded-10], reference: sequential, with: items.count, where: {database.latency: 0s}}}
`)
	if s.Items.Batches != 1 || s.Database.Documents != "per-item" || s.SUT.NoFile != 1024 || s.SUT.Timeout.String() != "2m0s" ||
		s.SUT.FetchTimeout.String() != "30s" || s.SUT.WriteTimeout.String() != "30s" {
		t.Errorf("%+v", s)
	}
	if v := s.Variants[1]; v.Name != "bounded-10" || v.Connections.Upstream != "keep-alive" || v.Connections.Clients != "shared" {
		t.Errorf("%+v", v)
	}
	if a := s.Claims[0]; a.Expect != "proved" || a.Growth.With != "items" {
		t.Errorf("%+v", a)
	}
	if b := s.Claims[1]; b.Growth.With != "items" || b.Growth.Where["database.latency"] != "0s" {
		t.Errorf("%+v", b.Growth)
	}
}

// Load reads the delays of a replay relative to the scenario file; Parse does not read them.
func TestLoadReplay(t *testing.T) {
	dir := t.TempDir()
	src := strings.Replace(least, "{distribution: lognormal, median: 20ms, sigma: 0.5}", "{distribution: replay, file: delays.txt}", 1) + "levels: [{items: 5}]\n"
	path := filepath.Join(dir, "replay.yaml")
	for name, content := range map[string]string{"replay.yaml": src, "delays.txt": "10ms\n30ms\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := scenarios.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Upstream.Latency.Samples) != 2 {
		t.Errorf("read %v", s.Upstream.Latency.Samples)
	}
	if s := parse(t, src); len(s.Upstream.Latency.Samples) != 0 {
		t.Errorf("Parse read a file: %v", s.Upstream.Latency.Samples)
	}
}

func TestBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := scenarios.Bytes(rapid.Int64Range(1, 1<<50).Draw(t, "bytes"))
		text, err := b.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back scenarios.Bytes
		if err := back.UnmarshalText(text); err != nil || back != b {
			t.Errorf("%d is written as %s, which reads as %d, %v", b, text, back, err)
		}
	})
	for text, want := range map[string]scenarios.Bytes{"512MiB": 512 << 20, "10MB": 10e6, "64kB": 64e3, "1B": 1} {
		var b scenarios.Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%s: %d, %v, want %d", text, b, err, want)
		}
	}
	for _, bad := range []string{"", "0B", "10", "1.5GiB", "-1MB", "01GiB", "10mb", "10 MB", "999999999999GB", "MB"} {
		if err := new(scenarios.Bytes).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestPercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := scenarios.Percent(float64(rapid.IntRange(0, 9999).Draw(t, "hundredths of a percent")) / 10_000)
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back scenarios.Percent
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if back.String() != p.String() || len(text) > len(`"99.99%"`) {
			t.Fatalf("%v became %s became %v", float64(p), text, float64(back))
		}
	})
	for _, bad := range []string{"60", "0.6", "100%", "-1%", "60 %", "%", "", "60%%", "1e1%", "05%", "00%"} {
		if err := new(scenarios.Percent).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a percentage", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"*.yaml", "testdata/*.yaml", "testdata/good/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
			f.Add(append([]byte("\uFEFF"), src...))
			f.Add(bytes.ReplaceAll(src, []byte("\n"), []byte("\r\n")))
		}
	}
	for _, src := range []string{"}", "a: {\n}}\n", "[[[[", "- ]\r\n", "? {\n: }", "a: 010\n", "a: -0_7\r", "\xFF\xFEa\x00", "a: |\r\n }\r\n"} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if text := string(src); !strings.ContainsAny(text, "\r") && !strings.HasPrefix(text, "\uFEFF") {
			sameInAllEncodings(t, "fuzz.yaml", text)
		}
		s, err := scenarios.Parse("fuzz.yaml", src)
		if err != nil {
			var all strictyaml.Errors
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("%T: %v", err, err)
			}
			for _, one := range all {
				if one.Line < 1 || one.Column < 1 || one.Message() == "" || strings.Contains(one.Message(), "\n") {
					t.Errorf("%+v", one)
				}
			}
			return
		}
		for _, one := range []*scenarios.Scenario{s, s.Quickened()} {
			for _, l := range expand(t, one) {
				for _, v := range one.Variants {
					scenarios.Predict(v, l.Scenario)
				}
			}
		}
		stored, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := scenarios.Parse("stored.json", stored); err != nil {
			t.Errorf("stored as %s: %v", stored, err)
		}
	})
}
