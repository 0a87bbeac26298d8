package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"floodgate/bench/cli/command"
	"floodgate/results/verdict"
)

// planted holds secrets by their kind. Each has a random core of letters and digits, which
// survives every escape, between characters that need one.
type planted map[string]string

func plant(kinds ...string) planted {
	p := planted{}
	for _, kind := range kinds {
		p[kind] = `p&"/` + rand.Text() + "=ü%"
	}
	return p
}

// core returns the letters and digits of a secret.
func core(secret string) string { return secret[4 : len(secret)-len("=ü%")] }

// searched finds secrets in artefacts.
type searched struct {
	t *testing.T
	p planted
	// found are the kinds that were found, with where that was.
	found []string
}

var embedded = regexp.MustCompile(`base64,([A-Za-z0-9+/=]+)`)

// search looks for every secret in a text, its embedded files included: a part of the core
// as it is, and the core in base64 at each of the three positions that it may have.
func (s *searched) search(where string, text []byte) {
	for _, kind := range slices.Sorted(maps.Keys(s.p)) {
		c := core(s.p[kind])
		forms := []string{c[:10], c[len(c)-10:]}
		for shift := range 3 {
			for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				coded := e.EncodeToString([]byte(strings.Repeat("x", shift) + c))
				forms = append(forms, coded[4:len(coded)-4]) // without the characters that its neighbors decide
			}
		}
		for _, f := range forms {
			if i := bytes.Index(text, []byte(f)); i >= 0 {
				s.found = append(s.found, fmt.Sprintf("%s is in %s: …%s…", kind, where, text[max(0, i-80):min(len(text), i+40)]))
				break
			}
		}
	}
	if z, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
		if plain, err := io.ReadAll(z); err == nil {
			s.search(where+", uncompressed", plain)
		}
	}
	for _, m := range embedded.FindAllSubmatch(text, -1) {
		if file, err := base64.StdEncoding.DecodeString(string(m[1])); err == nil {
			s.search(where+", embedded", file)
		}
	}
}

// folder searches every file below a folder, and the files' names.
func (s *searched) folder(dir string) {
	s.t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		s.search("the name "+path, []byte(path))
		if !d.Type().IsRegular() {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		s.search(path, text)
		return err
	})
	if err != nil || files == 0 {
		s.t.Errorf("%s has %d files: %v", dir, files, err)
	}
}

// command runs a command line and searches what it prints. It returns the exit code.
func (s *searched) command(args ...string) (code int, output string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(s.t.Context(), args, &stdout, &stderr)
	s.search("the output of "+strings.Join(args, " "), stdout.Bytes())
	s.search("standard error of "+strings.Join(args, " "), stderr.Bytes())
	return code, stderr.String() + stdout.String()
}

// expect runs a command that must end with the exit code.
func (s *searched) expect(want int, args ...string) string {
	s.t.Helper()
	code, output := s.command(args...)
	if code != want {
		s.t.Errorf("%v: exit code %d, want %d\n%s", args, code, want, output)
	}
	return output
}

// report fails the test with what was found.
func (s *searched) report() {
	s.t.Helper()
	for _, f := range s.found {
		s.t.Error(f)
	}
}

// The search finds a secret in every encoding and place that artefacts have.
func TestSearchFindsPlantedSecrets(t *testing.T) {
	p := plant("password")
	secret := p["password"]
	quoted, err := json.Marshal(map[string]string{"error": secret})
	if err != nil {
		t.Fatal(err)
	}
	var escaped, packed bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(secret))
	z := gzip.NewWriter(&packed)
	fmt.Fprintf(z, `{"scenario": %s}`, quoted)
	z.Close()
	basic := func(user string) string { return base64.StdEncoding.EncodeToString([]byte(user + ":" + secret)) }
	for name, text := range map[string]string{
		"verbatim": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret), "userinfo": url.UserPassword("me", secret).String(),
		"lower case": strings.ToLower(url.QueryEscape("&")) + secret, "JSON": string(quoted), "Go": strconv.QuoteToASCII(secret), "HTML": html.EscapeString(secret), "XML": escaped.String(),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64 for URLs": base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"basic 1": basic("a"), "basic 2": basic("ab"), "basic 3": basic("abc"),
		"first half": secret[:16], "last half": secret[len(secret)-16:],
		"compressed": packed.String(), "embedded": `<a href="data:application/gzip;base64,` + base64.StdEncoding.EncodeToString(packed.Bytes()) + `">`,
	} {
		s := searched{t: t, p: p}
		s.search(name, []byte("before "+text+" after"))
		if name == "compressed" {
			s.search(name, []byte(text))
		}
		if len(s.found) == 0 {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
	s := searched{t: t, p: p}
	s.search("another", []byte(plant("password")["password"]))
	if len(s.found) > 0 {
		t.Errorf("found in another text: %q", s.found)
	}
}

// formatsOf are the formats of a run.
func formatsOf() []string { return command.RunFormats.Names() }

// leakyAPI is an upstream that wants credentials of every kind, and repeats them in what
// it answers.
type leakyAPI struct {
	*httptest.Server
	mu      sync.Mutex
	failing bool
	wrong   int // requests without the credentials
}

func newLeakyAPI(t *testing.T, p planted) *leakyAPI {
	a := &leakyAPI{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		a.mu.Lock()
		defer a.mu.Unlock()
		if r.URL.Path == "/stats" || r.URL.Path == "/profile" {
			http.NotFound(w, r) // it is no mock
			return
		}
		token := r.Header.Get("X-Token")
		if user != "me" || password != p["upstream password"] || token != p["header"] || r.URL.Query().Get("key") != p["query"] {
			a.wrong++
		}
		all := fmt.Sprintf("%s %s %s %s %s %q %q", password, token, r.URL.RawQuery, r.Header.Get("Authorization"), base64.URLEncoding.EncodeToString([]byte(token)), token, password)
		switch {
		case a.failing:
			w.Header().Set("Location", "http://me:"+url.QueryEscape(password)+"@127.0.0.1:1/?key="+url.QueryEscape(token))
			http.Error(w, all, http.StatusInternalServerError)
		case strings.Contains(r.URL.Path, "refused"):
			http.Error(w, strings.Repeat("x", 180)+all, http.StatusForbidden)
		case strings.Contains(r.URL.Path, "other"):
			fmt.Fprintf(w, `{"data": {"items": [], %q: 1, %q: 2}}`, token, password)
		case strings.Contains(r.URL.Path, "moved"):
			w.Header().Set("Location", r.URL.String()+"&again="+url.QueryEscape(password))
			w.WriteHeader(http.StatusFound)
		default:
			fmt.Fprint(w, `{"data": {"calls": [{"any": 1}]}}`)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

const vaultAPI = `version: 1
name: vault
title: An API with credentials
items: {file: items.jsonl}
upstream:
  request: {path: "/v2/{0}/calls?key=${PLANTED_QUERY}", headers: {X-Token: "${PLANTED_HEADER}"}}
  records: data.calls
variants:
  - {strategy: sequential}
  - {strategy: bounded, limit: 2}
levels: [{sut.nofile: 256}]
blocks: 6
claims:
  - {id: lost, statement: nothing is lost, documents: {}}
`

// No secret that a pipeline takes reaches what is stored, printed or rendered, whether the
// run goes well or fails.
func TestNoSecretOfAPipelineIsKept(t *testing.T) {
	p := plant("upstream password", "header", "query", "mongo password", "token of a job")
	s := &searched{t: t, p: p}
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"vault.yaml":  vaultAPI,
		"items.jsonl": `["good"]` + "\n" + `["refused"]` + "\n" + `["other"]` + "\n" + `["moved"]` + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PLANTED_QUERY", p["query"])
	t.Setenv("PLANTED_HEADER", p["header"])
	t.Setenv("GITHUB_TOKEN", p["token of a job"])
	api := newLeakyAPI(t, p)
	withUser := func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("me", p["upstream password"])
		return u.String()
	}
	external := func(want int, address string, args ...string) { // the command takes the variable out of its environment
		t.Helper()
		t.Setenv("FLOODGATE_UPSTREAM_URL", address)
		s.expect(want, append([]string{"run", "vault.yaml", "--out"}, args...)...)
	}

	// A run with failed items, shown in every way.
	external(verdict.ExitInconclusive, withUser(api.URL), "runs", "--traces", "traces.jsonl", "--profile", "heap,goroutine")
	for _, pattern := range []string{"traces.jsonl", "runs/*/traces/*", "runs/*/profiles/*"} {
		if files, err := filepath.Glob(pattern); err != nil || len(files) == 0 {
			t.Errorf("no files %s are searched: %v", pattern, err)
		}
	}
	if api.wrong > 0 {
		t.Errorf("%d requests lacked the credentials", api.wrong)
	}
	external(verdict.ExitInconclusive, withUser(api.URL), "runs", "--quiet", "--format", "json")
	ids, err := os.ReadDir("runs")
	if err != nil || len(ids) != 2 {
		t.Fatal(ids, err)
	}
	first, second := ids[0].Name(), ids[1].Name()
	for _, format := range formatsOf() {
		s.expect(verdict.ExitInconclusive, "report", first, "--out", "runs", "--format", format)
		s.expect(verdict.ExitInconclusive, "report", first, "--out", "runs", "--format", format, "--output", "report."+format)
	}
	for _, format := range command.ComparisonFormats.Names() {
		s.command("compare", "runs/"+first, "runs/"+second, "--format", format)
	}
	for _, format := range command.HistoryFormats.Names() {
		s.expect(verdict.ExitPassed, "history", "vault", "--out", "runs", "--format", format)
	}
	for _, format := range command.ListFormats.Names() {
		s.expect(verdict.ExitPassed, "report", "--out", "runs", "--format", format)
	}
	s.command("gate", "baseline", "runs/"+first, "--update", "--file", "baseline.yaml")
	for _, format := range command.GateFormats.Names() {
		s.command("gate", "baseline", "runs/"+second, "--file", "baseline.yaml", "--format", format)
	}
	s.expect(verdict.ExitPassed, "scenario", "show", "vault.yaml")
	s.expect(verdict.ExitPassed, "scenario", "dry-run", "vault.yaml")

	// Shards and their merger.
	for _, shard := range []string{"1/2", "2/2"} {
		external(verdict.ExitInconclusive, withUser(api.URL), "shards", "--shard", shard)
	}
	shards, err := filepath.Glob("shards/*")
	if err != nil || len(shards) != 2 {
		t.Fatal(shards, err)
	}
	s.command(append([]string{"merge", "--out", "merged"}, shards...)...)

	// Runs that fail.
	api.mu.Lock()
	api.failing = true
	api.mu.Unlock()
	dead := withUser("http://127.0.0.1:1")
	external(verdict.ExitNotMeasured, withUser(api.URL), "failed")
	external(verdict.ExitMisused, "", "refused", "--upstream-url", dead)
	external(verdict.ExitNotMeasured, dead, "failed")
	external(verdict.ExitMisused, strings.Replace(dead, ":1", ":x", 1), "failed")
	external(verdict.ExitMisused, strings.Replace(dead, "127.0.0.1", "192.0.2.1", 1), "failed") // not an allowed target
	t.Setenv("FLOODGATE_UPSTREAM_URL", "")
	mongo := (&url.URL{Scheme: "mongodb", User: url.UserPassword("me", p["mongo password"]), Host: "127.0.0.1:1", Path: "/", RawQuery: "serverSelectionTimeoutMS=300"}).String()
	s.expect(verdict.ExitMisused, "run", "report", "--quick", "--out", "refused", "--mongo-uri", mongo)
	if err := os.WriteFile("uri.txt", []byte(mongo), 0o600); err != nil {
		t.Fatal(err)
	}
	s.expect(verdict.ExitNotMeasured, "run", "report", "--quick", "--out", "failed", "--mongo-uri-file", "uri.txt")
	server := serveMongoFor(t, dir)
	if err := os.WriteFile("uri.txt", []byte(strings.Replace(mongo, "127.0.0.1:1", server, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.expect(verdict.ExitNotMeasured, "run", "report", "--quick", "--out", "failed", "--mongo-uri-file", "uri.txt") // nobody has this password
	if err := os.Remove("uri.txt"); err != nil {
		t.Fatal(err)
	}

	// A comment whose forge repeats the token of the job.
	forge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, `{"message": "bad credentials: `+r.Header.Get("Authorization")+`"}`, http.StatusUnauthorized)
	}))
	defer forge.Close()
	for name, value := range map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": forge.URL, "GITHUB_REPOSITORY": "me/mine", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/1/merge",
	} {
		t.Setenv(name, value)
	}
	if output := s.expect(verdict.ExitInconclusive, "report", first, "--out", "runs", "--comment", "gate"); !strings.Contains(output, "the comment was not written") {
		t.Errorf("no failed comment: %s", output)
	}
	s.folder(dir)
	s.report()
}

// serveMongoFor serves the embedded MongoDB until the end of the test, and returns its
// address.
func serveMongoFor(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	announced := make(chan string, 1)
	stderr := &when{pattern: regexp.MustCompile(`mongodb://(127\.0\.0\.1:\d+)`), call: func(address string) { announced <- address }}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"mongo", "--addr", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data")}, io.Discard, stderr)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	select {
	case address := <-announced:
		return address
	case code := <-ended:
		ended <- code
		t.Fatalf("the server ended with %d: %s", code, stderr)
	}
	return ""
}

const vaultService = `version: 1
name: safe
title: A service with credentials
sut:
  command: [OWN, "{{addr}}", BEHAVIOR, "--password=${PLANTED_ARGUMENT}"]
  env: {SERVICE_TOKEN: "${PLANTED_ENV}"}
  timeout: 5s
service:
  requests:
    - {method: POST, path: "/login?key=${PLANTED_QUERY}", headers: {Authorization: "Bearer ${PLANTED_HEADER}"}, body_file: body.json}
  arrivals: {rate: 20}
  duration: 300ms
claims:
  - {id: leak, statement: it leaks, cause: {of: [service], is: leak}}
`

// No secret that a service takes reaches what is stored, printed or rendered, although the
// service repeats all of them in its answers and on its standard error.
func TestNoSecretOfAServiceIsKept(t *testing.T) {
	p := plant("argument", "variable of the service", "query", "header", "body of a file", "literal header", "file of an attack")
	s := &searched{t: t, p: p}
	dir, input := t.TempDir(), t.TempDir()
	t.Chdir(dir)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(input, "ownservice") // the test binary with this name is the service
	if err := os.Symlink(executable, own); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	for name, value := range map[string]string{"ARGUMENT": "argument", "ENV": "variable of the service", "QUERY": "query", "HEADER": "header", "BODY": "body of a file"} {
		t.Setenv("PLANTED_"+name, p[value])
	}
	files := map[string]string{"body.json": `{"password": "${PLANTED_BODY}"}`, "attack.json": `{"password": "${PLANTED_BODY}", "other": "` + core(p["file of an attack"]) + `"}`}
	for _, behavior := range []string{"tells", "dies"} {
		files[behavior+".yaml"] = strings.NewReplacer("OWN", own, "BEHAVIOR", behavior).Replace(vaultService)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(input, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.command("run", filepath.Join(input, "tells.yaml"), "--env", "embedded", "--out", "runs", "--traces", "traces.jsonl")
	stored := onlyRun(t, "runs")
	for _, trial := range stored.Trials {
		if trial.Service == nil || trial.Service.Errors["http_5xx"] == 0 {
			t.Fatalf("trial %d: %s %s, service %+v", trial.Index, trial.Outcome, trial.Reason, trial.Service)
		}
	}
	if traces, err := os.ReadFile("traces.jsonl"); err != nil || !bytes.Contains(traces, []byte(`"name":"request"`)) {
		t.Errorf("traces %.200q, %v; want those of requests", traces, err)
	}
	for _, format := range formatsOf() {
		s.command("report", stored.Header.ID, "--out", "runs", "--format", format, "--output", "report."+format)
	}
	// Its first words on standard error are stored, without the secrets.
	s.expect(verdict.ExitNotMeasured, "run", filepath.Join(input, "dies.yaml"), "--env", "embedded", "--out", "dead")
	dead := onlyRun(t, "dead")
	if tail := dead.Trials[0].StderrTail; !strings.Contains(tail, "token ***") || !strings.Contains(tail, "argument --password=***") {
		t.Errorf("the end of standard error is %q", tail)
	}
	// A credential that is written out is refused, because a record contains its scenario.
	literal := strings.Replace(files["tells.yaml"], "${PLANTED_HEADER}", core(p["literal header"]), 1)
	targets := strings.Replace(literal, literal[strings.Index(literal, "  requests:"):strings.Index(literal, "  arrivals:")], "  targets: targets.txt\n", 1)
	for name, text := range map[string]string{
		"literal.yaml": literal, "targets.yaml": targets, "targets.txt": "GET http://127.0.0.1/\nAuthorization: Bearer " + core(p["literal header"]) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(input, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"literal.yaml", "targets.yaml"} {
		if output := s.expect(verdict.ExitMisused, "run", filepath.Join(input, name), "--env", "embedded", "--out", "refused"); !strings.Contains(output, "Authorization is written out and would be stored in every record") {
			t.Errorf("%s: %s", name, output)
		}
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		http.Error(w, fmt.Sprint(r.Header, r.URL, string(body)), http.StatusUnauthorized)
	}))
	defer service.Close()
	s.command("attack", "--for", "300ms", "--out", "attacks", "-H", "Authorization: Bearer "+p["literal header"], "-H", "X-Token: ${PLANTED_HEADER}", "POST", service.URL+"/?key=${PLANTED_QUERY}", "@"+filepath.Join(input, "attack.json"))
	attacked := onlyRun(t, "attacks")
	for _, format := range formatsOf() {
		s.command("report", attacked.Header.ID, "--out", "attacks", "--format", format, "--output", "attack."+format)
	}
	s.expect(verdict.ExitMisused, "attack", "GET", "http://me:"+url.QueryEscape(p["literal header"])+"@127.0.0.1:1/")
	s.folder(dir)
	s.report()
}
