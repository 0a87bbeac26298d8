package scenarios_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"floodgate/scenarios"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// ownText is the shortest scenario of an HTTP service.
const ownText = `version: 1
name: own
title: a service
sut:
  command: [./reportd, -addr, "{{addr}}", -limit, "{{limit}}"]
service:
  requests:
    - {path: "/reports/{{n}}"}
  arrivals: {rate: 20}
  duration: 1s
variants:
  - {vars: {limit: 10}}
`

func TestHTTPServiceDefaults(t *testing.T) {
	s, err := scenarios.Parse("own.yaml", []byte(ownText))
	if err != nil {
		t.Fatal(err)
	}
	if !s.IsHTTPService() || s.Variants[0].Name != "limit-10" || s.Blocks != scenarios.MinBlocks || s.Service.Requests[0].Method != "GET" {
		t.Errorf("defaults: %+v", s)
	}
	levels, err := s.ExpandLevels()
	if err != nil || len(levels) != 1 || levels[0].Name != "service.arrivals.rate=20" {
		t.Errorf("levels %v, %v", levels, err)
	}
	if !s.Uses(scenarios.VariableAddr) || s.Uses(scenarios.VariableUpstreamURL) {
		t.Error("the variables that it uses are not those of its text")
	}
	if !s.Service.Done(204) || s.Service.Done(302) {
		t.Error("without success, 200 to 299 count as done")
	}
}

func TestHTTPServiceMistakes(t *testing.T) {
	tests := map[string]struct{ old, now, want string }{
		"strategy":             {"vars: {limit: 10}", "strategy: bounded, vars: {limit: 10}", "own.yaml:12:6: variants[0].strategy: does not apply to an HTTP service"},
		"missing variable":     {"vars: {limit: 10}", "vars: {limt: 10}", `own.yaml:5:51: sut.command[4]: unknown variable "limit" in variant "limt-10" (did you mean "limt"?`},
		"nowhere":              {"-addr, \"{{addr}}\"", "-quiet, \"yes\"", "own.yaml:5:12: sut.command: does not say where the service listens: write {{addr}}"},
		"not loopback":         {"service:", "  addr: 10.0.0.1:80\nservice:", `own.yaml:6:9: sut.addr: must be a loopback address with a port, such as "127.0.0.1:8080" (got "10.0.0.1:80")`},
		"ready":                {"service:", "  ready: healthz\nservice:", `sut.ready: must be a path that begins with a slash (got "healthz")`},
		"two signs":            {"service:", "  ready: {tcp: true, log: up}\nservice:", "sut.ready: http, tcp and log are mutually exclusive"},
		"built-in container":   {"service:", "  container: true\nservice:", `own.yaml:6:14: sut.container: is that of the built-in SUT, which sut.command replaces; remove one of the two, or name an image`},
		"port without image":   {"service:", "  container: {port: 8080}\nservice:", `own.yaml:6:15: sut.container.port: needs sut.container.image`},
		"port and address":     {"service:", "  container: {image: a, port: 8080}\n  addr: 127.0.0.1:80\nservice:", `sut.addr: does not apply to a network of its own`},
		"image without a port": {"  command: [./reportd, -addr, \"{{addr}}\", -limit, \"{{limit}}\"]", "  container: {image: a}", "own.yaml:5:14: sut.container: does not say where the service listens: set sut.container.port"},
		"port out of range":    {"service:", "  container: {image: a, port: 65536}\nservice:", `sut.container.port: must be a whole number from 1 to 65535 (got 65536)`},
		"container of a port":  {"  command: [./reportd, -addr, \"{{addr}}\", -limit, \"{{limit}}\"]", "  container: {image: a}\n  port: 80", "sut.container: does not apply to a process that runs already"},
		"metrics":              {"service:", "  metrics: metrics\nservice:", `own.yaml:6:12: sut.metrics: must be a path that begins with a slash (got "metrics")`},
		"series":               {"service:", "  metrics: {series: [up, 'up{code=~\"2..\"}']}\nservice:", `own.yaml:6:26: sut.metrics.series[1]: must be the name of a metric, with labels if need be, such as http_requests_total{code="200"} (got "up{code=~\"2..\"}")`},
		"pprof":                {"service:", "  pprof: debug\nservice:", `own.yaml:6:10: sut.pprof: must be a path, or a URL without user, query and fragment, such as http://127.0.0.1:6060/debug/pprof (got "debug")`},
		"pprof with secrets":   {"service:", "  pprof: http://me:s3cret@127.0.0.1/debug\nservice:", `own.yaml:6:10: sut.pprof: must be a path, or a URL without user, query and fragment, such as http://127.0.0.1:6060/debug/pprof`},
		"pprof elsewhere":      {"service:", "  pprof: http://example.com/debug/pprof\nservice:", `sut.pprof: must be on this machine: 127.0.0.1, [::1] or localhost (got "http://example.com/debug/pprof")`},
		"pprof of a path":      {"service:", "  pprof: /debug?seconds=1\nservice:", `sut.pprof: must be a path without query and fragment, such as /debug/pprof (got "/debug?seconds=1")`},
		"series twice":         {"service:", "  metrics: {series: [up, up]}\nservice:", `sut.metrics.series[1]: repeats "up"`},
		"path":                 {`"/reports/{{n}}"`, "reports", `own.yaml:8:14: service.requests[0].path: must begin with a slash (got "reports")`},
		"no item":              {"{{n}}", "{{item}}", "service.requests[0].path: {{item}} needs items"},
		"unknown in path":      {"{{n}}", "{{number}}", `unknown variable "number"`},
		"two bodies":           {"{path:", "{body: a, body_file: b, path:", "service.requests[0].body_file: body and body_file are mutually exclusive"},
		"method":               {"{path:", "{method: 'P OST', path:", `service.requests[0].method: must be an HTTP method (got "P OST")`},
		"success":              {"duration: 1s", "duration: 1s\n  success: [2xx]", `service.success[0]: must be a status or a range`},
		"both":                 {"duration: 1s", "duration: 1s\n  targets: t.http", "service.requests and service.targets are mutually exclusive"},
		"items of reports":     {"duration: 1s", "duration: 1s\n  report_items: 3", "service.report_items: does not apply to an HTTP service"},
		"lists":                {"vars: {limit: 10}", "name: a, vars: {limit: [10, 20]}", "variants[0].vars.limit: must be one value (got a list)"},
		"no command":           {"  command: [./reportd, -addr, \"{{addr}}\", -limit, \"{{limit}}\"]", "  ready: /healthz", "sut.ready: applies only to an HTTP service that sut.command starts"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			src := strings.Replace(ownText, test.old, test.now, 1)
			if src == ownText {
				t.Fatalf("%q is not in the scenario", test.old)
			}
			_, err := scenarios.Parse("own.yaml", []byte(src))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// load writes files into a folder and loads the scenario among them.
func load(t *testing.T, scenario string, files map[string]string) (*scenarios.Scenario, error) {
	t.Helper()
	dir := t.TempDir()
	files["own.yaml"] = scenario
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return scenarios.Load(filepath.Join(dir, "own.yaml"))
}

var withTargets = strings.Replace(ownText, "requests:\n    - {path: \"/reports/{{n}}\"}", "targets: targets.http", 1)

func TestTargets(t *testing.T) {
	want := []scenarios.Request{
		{Method: "GET", Path: "/reports?week=1"},
		{Method: "POST", Path: "/reports", Headers: scenarios.Values{"Content-Type": "application/json"}, Data: []byte(`{"a":1}`)},
	}
	for name, files := range map[string]map[string]string{
		"http": {
			"targets.http": "# two of them\nGET http://example.com/reports?week=1\n\nPOST http://example.com/reports\nContent-Type: application/json\n@body.json\n",
			"body.json":    `{"a":1}`,
		},
		"http with a byte-order mark and CRLF": {
			"targets.http": "\ufeffGET http://example.com/reports?week=1\r\n\r\nPOST http://example.com/reports\r\nContent-Type: application/json\r\n@body.json\r\n",
			"body.json":    `{"a":1}`,
		},
		"json": {"targets.http": `{"method":"GET","url":"http://example.com/reports?week=1"}
{"method":"POST","url":"http://example.com/reports","header":{"Content-Type":["application/json"]},"body":"eyJhIjoxfQ=="}
`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := load(t, withTargets, files)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, s.Service.Requests); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for n := range uint64(4) { // in their order, over and over
				if got := s.Pick(n); got.Path != want[n%2].Path {
					t.Errorf("request %d goes to %s", n, got.Path)
				}
			}
		})
	}
}

func TestBadTargets(t *testing.T) {
	for name, test := range map[string]struct{ targets, want string }{
		"line":  {"GET http://127.0.0.1/\n\nGET\n", "targets.http:3: "},
		"first": {"http://127.0.0.1/\n", `targets.http:1: "http://127.0.0.1/" is not a target`},
		"json":  {"{\"method\":\"GET\",\"url\":\"http://127.0.0.1/\"}\n{\"method\":\n", "targets.http:2: "},
		"body":  {"POST http://127.0.0.1/\n@missing.json\n", "targets.http:2: "},
		"none":  {"# nothing\n", "has no targets"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, withTargets, map[string]string{"targets.http": test.targets})
			if err == nil || !strings.Contains(err.Error(), "service.targets: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func FuzzTargets(f *testing.F) {
	f.Add("GET http://127.0.0.1/\n@body\n")
	f.Add("{\"method\":\"GET\",\"url\":\"http://127.0.0.1/\"}\n")
	f.Fuzz(func(t *testing.T, targets string) {
		s, err := load(t, withTargets, map[string]string{"targets.http": targets})
		if err == nil && len(s.Service.Requests) == 0 {
			t.Error("no error and no requests")
		}
	})
}

// TestBodyFile shows that bodies of files are part of the scenario, so that a record
// of it can be run again without them.
func TestBodyFile(t *testing.T) {
	for body, want := range map[string]scenarios.Request{
		"{\"n\": {{n}}}": {Body: "{\"n\": {{n}}}"},
		"\xff\xfe":       {Data: []byte("\xff\xfe")},
	} {
		s, err := load(t, strings.Replace(ownText, "{path:", "{body_file: body, path:", 1), map[string]string{"body": body})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Service.Requests[0]; got.Body != want.Body || string(got.Data) != string(want.Data) {
			t.Errorf("%q became body %q, data %q", body, got.Body, got.Data)
		}
	}
}

func TestWeights(t *testing.T) {
	s, err := scenarios.Parse("own.yaml", []byte(strings.Replace(ownText, "    - {path: \"/reports/{{n}}\"}\n", "    - {path: /a, weight: 3}\n    - {path: /b}\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for n := range uint64(10_000) {
		counts[s.Pick(n).Path]++
	}
	if counts["/a"] < 7300 || counts["/a"] > 7700 { // 7,500 ± 4.6 standard deviations
		t.Errorf("a weight of 3 beside 1 gives %v", counts)
	}
	if first, again := s.Pick(7).Path, s.Pick(7).Path; first != again {
		t.Errorf("the same number gives %s and %s", first, again)
	}
}

func TestExpand(t *testing.T) {
	value := func(name string) (string, bool) { return "<" + name + ">", name != "no" }
	if got, err := scenarios.Expand("a {{ b }}{{c.d}} {e} {{}", value); got != "a <b><c.d> {e} {{}" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := scenarios.Expand("{{no}}", value); err == nil || err.Error() != `unknown variable "{{no}}"` {
		t.Error(err)
	}
	if got, err := scenarios.ExpandEnvironment("Bearer ${b} $b ${1}", value); got != "Bearer <b> $b ${1}" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := scenarios.ExpandEnvironment("${no}", value); err == nil || !strings.Contains(err.Error(), "no is not set") {
		t.Error(err)
	}
}

func TestSecrets(t *testing.T) {
	src := strings.Replace(ownText, "{path:", `{headers: {Authorization: "Bearer ${TOKEN}"}, path:`, 1)
	src = strings.Replace(src, "service:", "  env: {KEY: \"${KEY}\", PLAIN: text}\nservice:", 1)
	s, err := scenarios.Parse("own.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	got := s.Secrets(func(name string) (string, bool) { return strings.Repeat(name, len(name)), true })
	token, key := strings.Repeat("TOKEN", 5), strings.Repeat("KEY", 3)
	encoded := func(secret string) string { return base64.StdEncoding.EncodeToString([]byte(secret)) }
	want := []string{encoded(token), strings.TrimRight(encoded(token), "="), token, encoded(key), key}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := s.Secrets(func(string) (string, bool) { return "a/", true }); !slices.Equal(got, []string{"a%2F", "a/"}) {
		t.Errorf("short ones are looked for as %q", got)
	}
}

func TestStatuses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.IntRange(100, 599).Draw(t, "low")
		want := scenarios.Statuses{low, rapid.IntRange(low, 599).Draw(t, "high")}
		text, _ := want.MarshalText()
		var got scenarios.Statuses
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%s read back as %v, %v", text, got, err)
		}
	})
}

const programText = `version: 1
name: own
title: A program that speaks the protocol
items: {kind: phone-numbers}
sut: {command: [./report, "{{mode}}", "{{limit}}"], env: {URL: "{{upstream.url}}"}}
variants: [{name: a, strategy: bounded, limit: 10, vars: {mode: fast}}, {strategy: unbounded, vars: {mode: slow}}]
levels: [{items: 10}]
claims: [{id: limit, statement: ten are ten, limit_respected: {of: [a]}}]
`

// Variables and claims that do not apply to a program of the protocol are mistakes.
func TestProgramOfTheProtocol(t *testing.T) {
	if _, err := scenarios.Parse("own.yaml", []byte(programText)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ old, now, want string }{
		"no such variable": {"{{mode}}", "{{moed}}", `sut.command[1]: unknown variable "moed" in variant "a" (did you mean "mode"? want limit, nofile, upstream.url, database.uri, database.name or mode)`},
		"no address":       {"{{mode}}", "{{addr}}", `sut.command[1]: unknown variable "addr"`},
		"in env":           {"{{upstream.url}}", "{{upstream}}", `sut.env.URL: unknown variable "upstream"`},
		"no limit":         {"of: [a]", "of: [unbounded]", `claims[0].limit_respected.of[0]: "unbounded" declares no limit for the whole program`},
		"none, built-in":   {`sut: {command: [./report, "{{mode}}", "{{limit}}"], env: {URL: "{{upstream.url}}"}}`, "database: {documents: none}", "database.documents: must be per-item or per-record, because the built-in pipeline writes"},
	} {
		t.Run(name, func(t *testing.T) {
			src := strings.Replace(programText, test.old, test.now, 1)
			_, err := scenarios.Parse("own.yaml", []byte(src))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// A container in a record reads as it was, and that of the built-in SUT is still true.
func TestContainers(t *testing.T) {
	for text, want := range map[string]string{
		"container: true": "true", "container: {built_in: true}": "true",
	} {
		src := strings.Replace(containedText, "container: true", text, 1)
		s, err := scenarios.Parse("contained.yaml", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(s.SUT.Container); err != nil || string(got) != want || !s.SUT.Contained() || s.SUT.OwnProgram() {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	src := strings.Replace(ownText, "service:", "  container: {image: \"reportd:1\", port: 8080}\n  cpus: 1\nservice:", 1)
	s, err := scenarios.Parse("own.yaml", []byte(strings.Replace(src, "  command: [./reportd, -addr, \"{{addr}}\", -limit, \"{{limit}}\"]\n", "", 1)))
	if err != nil || !s.IsHTTPService() || !s.SUT.Contained() || !s.SUT.OwnProgram() {
		t.Fatalf("%+v, %v", s, err)
	}
	for _, c := range []scenarios.Container{s.SUT.Container, {BuiltIn: true}, {Image: "a"}} {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back scenarios.Container
		if err := json.Unmarshal(text, &back); err != nil || back != c {
			t.Errorf("%+v, %v, want %+v", back, err, c)
		}
	}
	if text, err := json.Marshal(scenarios.SUT{}); err != nil || strings.Contains(string(text), "container") {
		t.Errorf("no container: %s, %v", text, err)
	}
}

// containedText has levels with and without a container.
const containedText = `version: 1
name: contained
title: with and without a container
items: {kind: phone-numbers}
sut: {container: true}
variants: [{strategy: sequential}]
levels: [{items: 2, sut.container: [true, false]}]
blocks: 6
`

// A variable that the environment does not set is an error where it stands, if the
// scenario is to run; targets are sent as they are.
func TestUnset(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("body.json", `{"token": "${TOKEN}"}`)
	write("targets.http", "GET http://127.0.0.1/${TOKEN}\n")
	path := write("own.yaml", strings.NewReplacer(
		`"{{limit}}"]`, `"{{limit}}", "${SET}", "${TOKEN}"]`, `"/reports/{{n}}"`, `"/{{n}}", body_file: body.json`, "limit: 10", `limit: "${LIMIT}"`,
	).Replace(ownText))
	set := func(name string) (string, bool) { return "value", name == "SET" }
	_, err := scenarios.LoadToRun(path, set)
	const reason = "the environment variable %[1]s is not set; set it, or remove ${%[1]s}"
	want := strings.Join([]string{
		path + ":5:74: sut.command[6]: " + strings.ReplaceAll(reason, "%[1]s", "TOKEN"),
		path + ":8:35: service.requests[0].body_file: " + strings.ReplaceAll(reason, "%[1]s", "TOKEN"),
		path + ":12:20: variants[0].vars.limit: " + strings.ReplaceAll(reason, "%[1]s", "LIMIT"),
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
	if _, err := scenarios.LoadToRun(path, func(string) (string, bool) { return "", true }); err != nil {
		t.Errorf("all are set, but empty: %v", err)
	}
	if _, err := scenarios.Load(path); err != nil {
		t.Errorf("it does not run here: %v", err)
	}
	path = write("targets.yaml", strings.Replace(ownText, "requests:\n    - {path: \"/reports/{{n}}\"}", "targets: targets.http", 1))
	if _, err := scenarios.LoadToRun(path, set); err != nil {
		t.Errorf("targets: %v", err)
	}
}
