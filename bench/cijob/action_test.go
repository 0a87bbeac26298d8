package cijob_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"floodgate/bench/internal/repotest"
)

// standIn is a command floodgate that stores what the real one would store, ends with the
// codes in $DIFF, $RUN and $BASELINE, and appends its arguments to $CALLS.
const standIn = `#!/bin/sh
echo "$*" >>"$CALLS"
code=$DIFF
case "$1 $2" in
version*) exit ;;
"gate diff") while [ "$1" != --out ]; do shift; done
  mkdir -p "$2/ID/a" "$2/ID/b"; touch "$2/ID/gate.json" "$2/ID/a/run.jsonl" "$2/ID/b/run.jsonl"; exit "$code" ;;
run*) while [ "$1" != --out ]; do shift; done
  mkdir -p "$2/ID"; exit "$RUN" ;;
"gate baseline") echo '  "id": "floodgate/mine/ID"'; exit "$BASELINE" ;;
esac
while [ $# -gt 0 ]; do
  if [ "$1" = --output ]; then echo report >"$2"; fi
  shift
done
exit "$code"
`

// job is a CI job of a foreign repository, whose clone has one commit of a branch.
type job struct {
	*testing.T
	dir, clone, calls string
	env               []string
}

func newJob(t *testing.T) *job {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the scripts need a POSIX shell")
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	dir := t.TempDir()
	origin := repotest.Init(t, filepath.Join(dir, "origin"))
	origin.Write("ci/mine.yaml", "name: mine\n")
	origin.Commit("first")
	origin.Git("checkout", "--quiet", "-b", "change")
	origin.Write("new", "new\n")
	origin.Commit("second")
	j := &job{T: t, dir: dir, clone: filepath.Join(dir, "clone"), calls: filepath.Join(dir, "calls")}
	origin.Git("clone", "--quiet", "--depth", "1", "--branch", "change", "file://"+filepath.ToSlash(origin.Top), j.clone)

	// The action, in a copy of Floodgate whose version is being developed, and a go command
	// that "builds" the stand-in.
	action := repotest.Init(t, filepath.Join(dir, "floodgate"))
	for _, name := range []string{"install", "gate"} {
		text, err := os.ReadFile("../../.github/actions/gate/" + name)
		if err != nil {
			t.Fatal(err)
		}
		action.Write(".github/actions/gate/"+name, string(text))
	}
	action.Write("bench/cli/version.go", "package cli\n\nconst Version = \"0.2.0-dev\"\n")
	action.Commit("floodgate")
	j.write("tools/go", "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\ncp \"$STAND_IN\" \"$2\"\n")
	j.write("stand-in", standIn)
	j.env = append(os.Environ(), "PATH="+filepath.Join(dir, "tools")+string(os.PathListSeparator)+os.Getenv("PATH"), "CALLS="+j.calls,
		"STAND_IN="+filepath.Join(dir, "stand-in"), "DIFF=0", "RUN=0", "BASELINE=0", "GITHUB_ACTIONS=", "GITHUB_OUTPUT=",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	return j
}

func (j *job) write(name, text string) {
	j.Helper()
	path := filepath.Join(j.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
		j.Fatal(err)
	}
}

// bash runs a script in the clone as GitHub and GitLab do, and returns its exit code.
func (j *job) bash(script string, env ...string) (code int, output string) {
	j.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = j.clone, append(j.env, env...)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		j.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// called returns the calls of the stand-in.
func (j *job) called() string {
	text, err := os.ReadFile(j.calls)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		j.Fatal(err)
	}
	return strings.ReplaceAll(string(text), j.dir, "")
}

var expression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)

// gitHub runs the steps of the action until one fails, with the values of its expressions.
func (j *job) gitHub(values map[string]string, env ...string) (code int, output string) {
	j.Helper()
	text, err := os.ReadFile("../../.github/actions/gate/action.yml")
	if err != nil {
		j.Fatal(err)
	}
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct {
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &action); err != nil {
		j.Fatal(err)
	}
	known := map[string]string{
		"inputs.releases || github.action_repository && format('{0}/{1}/releases/download/vVERSION', github.server_url, github.action_repository)": "",
		"inputs.base || github.base_ref && format('origin/{0}', github.base_ref)":                                                                  "origin/main",
		"inputs.comment == 'true' && inputs.name || ''":                                                                                            "floodgate",
		"runner.temp": filepath.Join(j.dir, "temp"), "github.token": "secret",
	}
	for name, input := range action.Inputs {
		known["inputs."+name] = input.Default
	}
	for name, value := range values {
		if _, ok := known[name]; !ok {
			j.Fatalf("the action has no expression %q", name)
		}
		known[name] = value
	}
	j.write("path", "")
	env = append([]string{"GITHUB_ACTIONS=true", "GITHUB_ACTION_PATH=" + filepath.Join(j.dir, "floodgate/.github/actions/gate"), "GITHUB_PATH=" + filepath.Join(j.dir, "path"), "GITHUB_OUTPUT=" + filepath.Join(j.dir, "output")}, env...)
	steps := 0
	for _, step := range action.Runs.Steps {
		if step.Run == "" {
			continue
		}
		if expression.MatchString(step.Run) {
			j.Errorf("an expression in a script lets an input change the script:\n%s", step.Run)
		}
		own := env
		for name, value := range step.Env {
			own = append(own, name+"="+expression.ReplaceAllStringFunc(value, func(s string) string {
				value, ok := known[expression.FindStringSubmatch(s)[1]]
				if !ok {
					j.Errorf("the value of %s is not known to this test", s)
				}
				return value
			}))
		}
		var out string
		if code, out = j.bash(step.Run, own...); code != 0 {
			return code, output + out
		}
		output += out
		steps++
		added, err := os.ReadFile(filepath.Join(j.dir, "path"))
		if err != nil {
			j.Fatal(err)
		}
		j.env = append(j.env, "PATH="+strings.TrimSpace(string(added))+string(os.PathListSeparator)+filepath.Join(j.dir, "tools")+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	if steps != 2 {
		j.Errorf("%d steps ran, want 2", steps)
	}
	return code, output
}

// The action builds its own revision where that is not a release, fetches the base that a
// shallow clone lacks, and writes all reports.
func TestAction(t *testing.T) {
	j := newJob(t)
	code, out := j.gitHub(map[string]string{"inputs.scenario": "ci/mine.yaml"})
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	const want = `version
gate diff origin/main ci/mine.yaml --margin 5% --out /temp/floodgate/gates --github
report /temp/floodgate/gates/ID/ --format sarif --scenario ci/mine.yaml --output /temp/floodgate/diff.sarif
report /temp/floodgate/gates/ID/ --format junit --scenario ci/mine.yaml --output /temp/floodgate/diff.xml
compare /temp/floodgate/gates/ID/a /temp/floodgate/gates/ID/b --format html --output /temp/floodgate/diff.html
report /temp/floodgate/gates/ID/ --format markdown --comment floodgate
`
	if got := j.called(); got != want {
		t.Errorf("the calls are\n%swant\n%s", got, want)
	}
	if code, out := j.bash("git rev-parse --verify origin/main"); code != 0 {
		t.Error(out)
	}
	outputs, _ := os.ReadFile(filepath.Join(j.dir, "output"))
	if got := strings.ReplaceAll(string(outputs), j.dir, ""); got != "sarif=/temp/floodgate\nfolder=/temp/floodgate\ncode=0\n" {
		t.Errorf("outputs:\n%s", got)
	}
}

// In a folder of the repository, the gates run there, and reports name files from the top.
func TestFolder(t *testing.T) {
	j := newJob(t)
	code, out := j.gitHub(map[string]string{"inputs.scenario": "mine.yaml", "inputs.folder": "ci", "inputs.baseline": "mine.baseline.yaml"})
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	for _, want := range []string{
		"\nrun mine.yaml --quiet --out ", "\ngate diff origin/main mine.yaml ", " --baseline ci/mine.baseline.yaml --scenario ci/mine.yaml --github\n", " --format sarif --scenario ci/mine.yaml --output ",
	} {
		if called := j.called(); !strings.Contains(called, want) {
			t.Errorf("no call has %q:\n%s", want, called)
		}
	}
}

// The exit code is that of the more important gate, and with warn an inconclusive one
// passes, and nothing else.
func TestExitCodes(t *testing.T) {
	j := newJob(t)
	if code, out := j.gitHub(map[string]string{"inputs.scenario": "ci/mine.yaml"}); code != 0 {
		t.Fatal(out)
	}
	for i, c := range []struct {
		diff, run, baseline int
		on                  string
		want                int
	}{
		{0, 0, 0, "fail", 0}, {1, 0, 0, "warn", 1}, {3, 0, 0, "fail", 3}, {3, 0, 0, "warn", 0}, {4, 0, 0, "warn", 4},
		{0, 1, 1, "warn", 1}, {0, 3, 3, "fail", 3}, {0, 3, 3, "warn", 0}, {3, 0, 1, "warn", 1}, {1, 0, 3, "warn", 1},
		{3, 4, 0, "warn", 4}, {0, 2, 0, "warn", 2}, {4, 0, 1, "warn", 1}, {2, 0, 3, "warn", 2},
	} {
		code, out := j.bash("sh ../floodgate/.github/actions/gate/gate", "FLOODGATE_SCENARIO=ci/mine.yaml", "FLOODGATE_BASE=origin/main", "FLOODGATE_BASELINE=ci/mine.baseline.yaml", "FLOODGATE_MARGIN=5%",
			"FLOODGATE_COMMENT=", "FLOODGATE_ON_INCONCLUSIVE="+c.on, fmt.Sprint("FLOODGATE_OUT=", j.dir, "/out", i), fmt.Sprint("DIFF=", c.diff), fmt.Sprint("RUN=", c.run), fmt.Sprint("BASELINE=", c.baseline))
		if code != c.want {
			t.Errorf("%+v: exit code %d\n%s", c, code, out)
		}
		if c.run == 0 {
			sarif, err := os.ReadFile(fmt.Sprint(j.dir, "/out", i, "/baseline.sarif"))
			if err != nil || !strings.Contains(string(sarif), `"id": "floodgate/baseline/mine/ID"`) {
				t.Errorf("%+v: %v, %s", c, err, sarif)
			}
		}
	}
	if strings.Count(j.called(), "--comment") != 1 { // of the first job
		t.Error("a comment was written without being requested")
	}
}

// Mistakes end with 2 and a sentence, before anything is measured.
func TestMistakes(t *testing.T) {
	j := newJob(t)
	for want, values := range map[string]map[string]string{
		"scenario is empty": {},
		"base is empty":     {"inputs.scenario": "ci/mine.yaml", "inputs.base || github.base_ref && format('origin/{0}', github.base_ref)": ""},
		"fetch-depth: 0":    {"inputs.scenario": "ci/mine.yaml", "inputs.base || github.base_ref && format('origin/{0}', github.base_ref)": "origin/nosuch"},
		`on-inconclusive is "pass" (want fail or warn)`: {"inputs.scenario": "ci/mine.yaml", "inputs.on-inconclusive": "pass"},
		"folder nosuch does not exist":                  {"inputs.scenario": "ci/mine.yaml", "inputs.folder": "nosuch"},
		"the address of its files is missing":           {"inputs.version": "0.2.0"},
		`the version is "../x"`:                         {"inputs.version": "../x"},
		`the version is ""`:                             {"inputs.version": ""},
	} {
		if err := os.RemoveAll(filepath.Join(j.dir, "temp")); err != nil {
			t.Fatal(err)
		}
		code, out := j.gitHub(values)
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, want 2 and %q:\n%s", code, want, out)
		}
	}
	if strings.Contains(j.called(), "gate diff") {
		t.Error(j.called())
	}
}

// A released binary is installed if its checksum is right, and nothing is otherwise.
func TestReleasedBinary(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("no archive for this system is a tar file")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	name := fmt.Sprintf("floodgate_0.2.0_%s_%s", runtime.GOOS, runtime.GOARCH)
	var archive bytes.Buffer
	z := gzip.NewWriter(&archive)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name + "/floodgate", Mode: 0o755, Size: int64(len(standIn))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(standIn)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	right := fmt.Sprintf("%x  %s.tar.gz\n", sha256.Sum256(archive.Bytes()), name)
	for _, c := range []struct{ name, sums, want string }{
		{"right", right, ""},
		{"wrong", strings.Repeat("0", 64) + right[64:], "does not have the checksum"},
		{"not listed", "", "does not list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/v0.2.0/checksums.txt":
					_, _ = w.Write([]byte(c.sums))
				case "/v0.2.0/" + name + ".tar.gz":
					_, _ = w.Write(archive.Bytes())
				default:
					http.NotFound(w, r)
				}
			}))
			defer server.Close()
			j := newJob(t)
			j.env = append(j.env, "no_proxy=*")
			bin := filepath.Join(j.dir, "bin")
			code, out := j.bash("sh ../floodgate/.github/actions/gate/install", "FLOODGATE_BIN="+bin, "FLOODGATE_VERSION=v0.2.0", "FLOODGATE_RELEASES="+server.URL+"/vVERSION", "FLOODGATE_SOURCE=")
			if c.want == "" && code != 0 || c.want != "" && (code != 2 || !strings.Contains(out, c.want)) {
				t.Errorf("exit code %d, want %q:\n%s", code, c.want, out)
			}
			if _, err := os.Stat(filepath.Join(bin, "floodgate")); (err == nil) != (c.want == "") {
				t.Errorf("installed: %v", err)
			}
		})
	}
}

// The template for GitLab has the action's scripts, and runs them: it builds from the
// repository that it names.
func TestGitLab(t *testing.T) {
	text, err := os.ReadFile("../../.gitlab/gate.yml")
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(text), "\n---\n")
	var inputs struct {
		Spec struct {
			Inputs map[string]struct{ Default any }
		}
	}
	if err := yaml.Unmarshal([]byte(head), &inputs); err != nil {
		t.Fatal(err)
	}
	j := newJob(t)
	values := map[string]string{"scenario": "ci/mine.yaml", "source": "file://" + j.dir + "/floodgate"}
	body = regexp.MustCompile(`\$\[\[ inputs\.([a-z-]+) \]\]`).ReplaceAllStringFunc(body, func(s string) string {
		name := strings.TrimSuffix(strings.TrimPrefix(s, "$[[ inputs."), " ]]")
		input, ok := inputs.Spec.Inputs[name]
		if !ok {
			t.Errorf("%s is not an input", s)
		}
		if value, ok := values[name]; ok {
			return value
		}
		return fmt.Sprint(input.Default)
	})
	var jobs map[string]struct {
		Script    []string
		Variables map[string]any
	}
	if err := yaml.Unmarshal([]byte(body), &jobs); err != nil {
		t.Fatal(err)
	}
	gate, ok := jobs["floodgate"]
	if !ok || len(gate.Script) != 3 {
		t.Fatalf("the jobs are %v", jobs)
	}
	for i, name := range []string{"install", "gate"} {
		script, err := os.ReadFile("../../.github/actions/gate/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var indented strings.Builder
		for line := range strings.Lines(string(script)) {
			if line != "\n" {
				line = "  " + line
			}
			indented.WriteString(line)
		}
		if want := "(\n" + indented.String() + ")\n"; gate.Script[i+1] != want {
			t.Errorf(".gitlab/gate.yml has another script %s than .github/actions/gate: copy it, indented, between the parentheses", name)
		}
	}
	env := []string{"CI_PROJECT_DIR=" + j.clone, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main"}
	for name, value := range gate.Variables {
		env = append(env, fmt.Sprint(name, "=", value))
	}
	if code, out := j.bash(strings.Join(gate.Script, "\n"), append(env, "DIFF=3")...); code != 0 || !strings.Contains(out, "inconclusive, which on-inconclusive: warn accepts") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if called := j.called(); !strings.Contains(called, "gate diff origin/main ci/mine.yaml --margin 5% --out /clone/.floodgate/out/gates\n") || !strings.Contains(called, "--comment floodgate") {
		t.Error(called)
	}
	if code, out := j.bash("git status --porcelain"); code != 0 || out != "" {
		t.Errorf("the job changes the project: %s", out)
	}
}
