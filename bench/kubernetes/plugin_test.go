package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"floodgate/bench/cli"
	"floodgate/bench/kubernetes/cluster"
)

var update = flag.Bool("update", false, "write golden files anew")

// The test binary is also the children of a command.
func TestMain(m *testing.M) {
	if code, ok := cli.Child(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); ok {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// execute runs the command line and checks its exit code.
func execute(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := cli.Main(args, &out, &errs, &plugin{}); code != want {
		t.Fatalf("%q: exit code %d, want %d\n%s%s", args, code, want, &out, &errs)
	}
	return out.String(), errs.String()
}

// The manifests are those of the golden files.
func TestRender(t *testing.T) {
	delayed := filepath.Join(t.TempDir(), "delayed.yaml")
	text := "version: 1\nname: delayed\ntitle: Delayed\nitems: {kind: phone-numbers}\ndatabase: {latency: 5ms}\n" +
		"containers: {upstream: {cpus: 1, memory: 256MiB}, database: {cpus: 2}}\n" +
		"sut: {container: true, nofile: 512, cpus: 0.5, memory: 64MiB}\n" +
		"variants: [{strategy: bounded, limit: 4}]\nlevels: [{items: 5}]\nblocks: 6\n"
	if err := os.WriteFile(delayed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "own.yaml")
	text = "version: 1\nname: own\ntitle: Own\nitems: {kind: phone-numbers}\n" +
		"sut: {hosts: 3, command: [/report, \"{{limit}}\"], env: {TOKEN: secret}, container: {image: registry.example/report:2}, cpus: 0.5, nofile: 512}\n" +
		"variants: [{strategy: bounded, limit: 4}]\nlevels: [{items: 5}]\nblocks: 6\n"
	if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for golden, args := range map[string][]string{
		"own.yaml":     {own},
		"report.yaml":  {"report"},
		"service.yaml": {"service"},
		"delayed.yaml": {delayed, "--mongo-image", "embedded", "--namespace", "load", "--image", "registry.example/floodgate:1"},
	} {
		t.Run(golden, func(t *testing.T) {
			got, _ := execute(t, 0, append([]string{"kubernetes", "render"}, args...)...)
			path := filepath.Join("testdata", golden)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("go test -update writes it anew:\n%s", got)
			}
		})
	}
}

// The role has exactly the verbs that are used.
func TestRole(t *testing.T) {
	text, _ := execute(t, 0, "kubernetes", "render", "--role")
	var role rbacv1.Role
	if text != cluster.Role || yaml.UnmarshalStrict([]byte(text), &role) != nil || role.Name != "floodgate" {
		t.Errorf("the role is\n%s", text)
	}
	var got []string
	for _, r := range role.Rules {
		for _, resource := range r.Resources {
			got = append(got, resource+": "+strings.Join(r.Verbs, " "))
		}
	}
	want := "jobs: create delete list; pods: list watch; pods/log: get; pods/attach: create get; pods/portforward: create get; events: list"
	if strings.Join(got, "; ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	execute(t, 2, "kubernetes", "render", "--role", "report")
}

// Mistakes are found before anything connects.
func TestMistakes(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.yaml")
	text := "version: 1\nname: own\ntitle: Own\nitems: {kind: phone-numbers}\nsut: {command: [/report]}\nvariants: [{strategy: sequential}]\nlevels: [{items: 5}]\n"
	if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for want, args := range map[string][]string{
		"set KUBECONFIG, or name a context with --context":                                               {"run", "report", "--env", "kubernetes", "--image", "a", "--out", t.TempDir()},
		own + ":5:6: sut: needs sut.container.image, because --env kubernetes runs sut.command in a pod": {"run", own, "--env", "kubernetes", "--out", t.TempDir()},
		own + ":5:6: sut: needs sut.container.image":                                                     {"kubernetes", "render", own},
		"--keep-data needs the embedded environment":                                                     {"run", "report", "--env", "kubernetes", "--keep-data", "--out", t.TempDir()},
		"at least one of the flags in the group [output push] is required":                               {"image"},
		"is not a Linux binary; build one with: CGO_ENABLED=0 GOOS=linux go build":                       {"image", "--binary", "plugin_test.go", "--output", filepath.Join(t.TempDir(), "x")},
		"--env kind: want kubernetes, together with --clean":                                             {"doctor", "--clean", "--env", "kind"},
		"this command does not run in a cluster":                                                         {"gate", "selftest", "--env", "kubernetes"},
	} {
		if _, stderr := execute(t, 2, args...); !strings.Contains(stderr, want) {
			t.Errorf("%q: %s, want %q", args, stderr, want)
		}
	}
}

// Every help text of the plugin fits a screen and begins with examples.
func TestHelp(t *testing.T) {
	for _, name := range []string{"image", "kubernetes", "kubernetes render", "run"} {
		text, _ := execute(t, 0, append(strings.Fields(name), "--help")...)
		if n := strings.Count(text, "\n"); n > 44 || !strings.HasPrefix(text, "  floodgate") {
			t.Errorf("%s: %d lines\n%s", name, n, text)
		}
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
	}
}
