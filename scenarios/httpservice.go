package scenarios

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/mockupstream"
	"floodgate/mockupstream/rng"
	"floodgate/mockupstream/strictyaml"
)

// Values maps names to scalars: text, numbers and booleans.
type Values = mockupstream.Values

// Ready describes how an HTTP service shows that it is ready. Exactly one field is
// set; none means TCP.
type Ready struct {
	// HTTP is a path that answers with a status of 200 to 399.
	HTTP string `yaml:"http,omitempty,short" json:"http,omitempty"`
	// TCP means that the service accepts connections.
	TCP bool `yaml:"tcp,omitempty" json:"tcp,omitempty"`
	// Log is a text in a line of its standard output or standard error.
	Log string `yaml:"log,omitempty" json:"log,omitempty"`
}

// Request is one kind of request that an HTTP service gets. Path, header values
// and body may hold {{n}}, {{item}} and the variables of the variant, and ${NAME}
// of the environment.
type Request struct {
	// Method defaults to GET.
	Method string `yaml:"method,omitempty" json:"method,omitempty"`
	// Path begins with a slash and may have a query.
	Path string `yaml:"path" json:"path"`
	// Headers by name.
	Headers Values `yaml:"headers,omitempty" json:"headers,omitempty"`
	// Body is text; BodyFile names a file that is read once, when the scenario is
	// loaded, relative to it.
	Body     string `yaml:"body,omitempty" json:"body,omitempty"`
	BodyFile string `yaml:"body_file,omitempty" json:"body_file,omitempty"`
	// Weight is the share of this request among all of them; zero means 1.
	Weight float64 `yaml:"weight,omitempty" json:"weight,omitempty"`
	// Data is the content of BodyFile, or the body of a target, sent as it is.
	Data []byte `yaml:"-" json:"data,omitempty"`
}

// ClientConnections describes the load generator's connections to the service.
type ClientConnections struct {
	// Max bounds the connections to each host of the service; zero means unbounded.
	// Requests beyond it wait, and the wait is part of their service time.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// KeepAlive keeps connections for later requests; nil means true.
	KeepAlive *bool `yaml:"keepalive,omitempty" json:"keepalive,omitempty"`
}

// TLS makes requests go to https.
type TLS struct {
	// CA, Cert and Key are PEM files: the certificate authority of the service, and
	// the generator's own certificate. [Load] makes their paths absolute, which are
	// relative to the scenario.
	CA   string `yaml:"ca,omitempty" json:"ca,omitempty"`
	Cert string `yaml:"cert,omitempty" json:"cert,omitempty"`
	Key  string `yaml:"key,omitempty" json:"key,omitempty"`
}

// Statuses is a range of HTTP statuses, both ends included: "200-299" or "404".
type Statuses [2]int

// UnmarshalText parses "200-299" or "404".
func (s *Statuses) UnmarshalText(text []byte) error {
	low, high, isRange := strings.Cut(string(text), "-")
	if !isRange {
		high = low
	}
	var err1, err2 error
	s[0], err1 = strconv.Atoi(low)
	s[1], err2 = strconv.Atoi(high)
	if err1 != nil || err2 != nil || s[0] < 100 || s[1] > 599 || s[1] < s[0] {
		return &strictyaml.Error{Value: string(text), Reason: `must be a status or a range of them from 100 to 599, such as "200-299"`}
	}
	return nil
}

// MarshalText formats the range as UnmarshalText reads it.
func (s Statuses) MarshalText() ([]byte, error) {
	if s[0] == s[1] {
		return strconv.AppendInt(nil, int64(s[0]), 10), nil
	}
	return fmt.Appendf(nil, "%d-%d", s[0], s[1]), nil
}

// IsHTTPService reports whether the SUT is an HTTP service, which sut.command or
// sut.container.image starts or which runs already, in place of the built-in service or of a program that speaks the
// protocol.
func (s *Scenario) IsHTTPService() bool {
	return s.Service != nil && (s.SUT.OwnProgram() || s.SUT.Runs())
}

// OwnProgram reports whether the SUT is a program of the user's own that Floodgate
// starts: sut.command, or what sut.container.image holds.
func (s SUT) OwnProgram() bool { return len(s.Command) > 0 || s.Container.Image != "" }

// Contained reports whether the SUT runs in a container.
func (s SUT) Contained() bool { return s.Container.BuiltIn || s.Container.Image != "" }

// Runs reports whether the SUT is a process that runs already.
func (s SUT) Runs() bool { return s.PID > 0 || s.Port > 0 }

// fillInHTTPService sets omitted fields of a scenario with an HTTP service to their
// defaults: one variant, and one level, at the rate of the arrivals.
func (s *Scenario) fillInHTTPService() {
	if s.Variants == nil {
		s.Variants = []Variant{{}}
	}
	if s.Levels == nil {
		s.Levels = []LevelSet{{"service.duration": s.Service.Duration.String()}}
		if a := s.Service.Arrivals; a.Rate > 0 {
			s.Levels = []LevelSet{{"service.arrivals.rate": a.Rate}}
		}
	}
	for i := range s.Service.Requests {
		orElse(&s.Service.Requests[i].Method, http.MethodGet)
	}
	if s.SUT.Metrics != nil {
		orElse(&s.SUT.Metrics.Path, DefaultMetricsPath)
	}
}

// Done reports whether an answer with the status counts as done: any range of
// Success, or 200 to 299 where there is none.
func (s *Service) Done(status int) bool {
	if len(s.Success) == 0 {
		return status >= 200 && status < 300
	}
	return slices.ContainsFunc(s.Success, func(r Statuses) bool { return status >= r[0] && status <= r[1] })
}

// Variables that texts of a scenario may hold as {{name}}.
const (
	VariableAddr         = "addr"          // loopback address with a free port; 0.0.0.0 with sut.container.port, and in a pod
	VariablePort         = "port"          // the port of it
	VariableNoFile       = "nofile"        // sut.nofile
	VariableUpstreamURL  = "upstream.url"  // base URL of the upstream
	VariableDatabaseURI  = "database.uri"  // URI of MongoDB
	VariableDatabaseName = "database.name" // database of the run
	VariableLimit        = "limit"         // limit of the variant
	VariableNumber       = "n"             // number of the request, from 0
	VariableItem         = "item"          // an item of the scenario; arguments are joined by "/"
)

// forProgram, forCommand and forRequest are the variables of any variant in the command
// and environment of a program that speaks the protocol, in those of an HTTP service,
// and in requests.
var (
	forProgram = []string{VariableLimit, VariableNoFile, VariableUpstreamURL, VariableDatabaseURI, VariableDatabaseName}
	forCommand = []string{VariableAddr, VariablePort, VariableNoFile, VariableUpstreamURL, VariableDatabaseURI, VariableDatabaseName}
	forRequest = []string{VariableNumber, VariableItem}
)

var variable = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// Expand replaces each {{name}} in a text by the value of the variable. A name
// without a value is an error.
func Expand(text string, value func(name string) (string, bool)) (string, error) {
	var unknown error
	expanded := variable.ReplaceAllStringFunc(text, func(found string) string {
		name := variable.FindStringSubmatch(found)[1]
		v, ok := value(name)
		if !ok && unknown == nil {
			unknown = fmt.Errorf("unknown variable %s", strictyaml.Quote("{{"+name+"}}"))
		}
		return v
	})
	return expanded, unknown
}

var environment = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// ExpandEnvironment replaces each ${NAME} in a text by the value of the environment
// variable. One that is not set is an error.
func ExpandEnvironment(text string, lookup func(name string) (string, bool)) (string, error) {
	var unset error
	expanded := environment.ReplaceAllStringFunc(text, func(found string) string {
		name := environment.FindStringSubmatch(found)[1]
		v, ok := lookup(name)
		if !ok && unset == nil {
			unset = fmt.Errorf("the environment variable %s is not set; set it, or remove %s", name, found)
		}
		return v
	})
	return expanded, unset
}

// Environment returns the values of the environment variables that the scenario names as
// ${NAME} and that are set.
func (s *Scenario) Environment(lookup func(name string) (string, bool)) map[string]string {
	values := map[string]string{}
	for _, t := range slices.Concat(s.templates(), s.values()) {
		for _, m := range environment.FindAllStringSubmatch(t.text, -1) {
			if v, set := lookup(m[1]); set {
				values[m[1]] = v
			}
		}
	}
	return values
}

// Unset returns an error for each text of the scenario that names a variable of the
// environment as ${NAME} which is not set; nil means that a run has all of them. The
// errors have paths, but no positions.
func (s *Scenario) Unset(lookup func(name string) (string, bool)) strictyaml.Errors {
	var unset strictyaml.Errors
	for _, t := range slices.Concat(s.templates(), s.values()) {
		if _, err := ExpandEnvironment(t.text, lookup); err != nil {
			unset = append(unset, &strictyaml.Error{Path: t.path, Reason: err.Error(), Err: err})
		}
	}
	return unset
}

// templates lists the texts that may hold variables.
func (s *Scenario) templates() []located {
	var all []located
	for i, word := range s.SUT.Command {
		all = append(all, located{strictyaml.Index("sut.command", i), word})
	}
	all = append(all, textsOf(s.SUT.Env, "sut.env")...)
	if r := s.Upstream.Request; r != nil {
		all = append(all, located{"upstream.request.path", r.Path})
		all = append(all, textsOf(r.Headers, "upstream.request.headers")...)
	}
	if s.Service != nil && s.Service.Targets == "" { // targets are sent as they are
		for i, r := range s.Service.Requests {
			all = append(all, r.texts(strictyaml.Index("service.requests", i))...)
		}
	}
	return all
}

// values lists the values of the variants' variables, which become part of templates.
func (s *Scenario) values() []located {
	var all []located
	for i, v := range s.Variants {
		all = append(all, textsOf(v.Vars, strictyaml.Join(strictyaml.Index("variants", i), "vars"))...)
	}
	return all
}

// Uses reports whether a text of the scenario holds the variable {{name}}.
func (s *Scenario) Uses(name string) bool {
	return slices.ContainsFunc(s.templates(), func(t located) bool {
		return slices.ContainsFunc(variable.FindAllStringSubmatch(t.text, -1), func(m []string) bool { return m[1] == name })
	})
}

// Variables returns the variant's own variables as text: Vars, and limit where it
// has one.
func (v Variant) Variables() map[string]string {
	all := make(map[string]string, len(v.Vars)+1)
	if v.Limit > 0 {
		all[VariableLimit] = strconv.Itoa(v.Limit)
	}
	for name, value := range v.Vars {
		all[name] = Text(value)
	}
	return all
}

// Text formats a value of a mapping ("vars", "env", "headers") as the file has it.
func Text(v any) string { return text(v) }

// Pick returns the request of number n, a pure function of the scenario's seed and
// n: targets one after another, over and over, and requests as often as their
// weights say.
func (s *Scenario) Pick(n uint64) Request { return s.Service.Requests[s.picked(n)] }

// picked returns the index of the request of number n.
func (s *Scenario) picked(n uint64) int {
	all := s.Service.Requests
	if s.Service.Targets != "" {
		return int(n % uint64(len(all)))
	}
	total := 0.0
	for _, r := range all {
		total += r.weight()
	}
	draw := rng.Uniform(rng.At(s.Seed^rng.At(n+1, 2), 1)) * total
	for i, r := range all {
		if draw -= r.weight(); draw < 0 {
			return i
		}
	}
	return len(all) - 1
}

func (r Request) weight() float64 {
	if r.Weight == 0 {
		return 1
	}
	return r.Weight
}

// located is a text and the path where it stands.
type located struct{ path, text string }

// texts lists the texts of a request that may hold variables, the request being at path.
func (r Request) texts(path string) []located {
	body := "body"
	if r.BodyFile != "" {
		body = "body_file"
	}
	all := []located{{strictyaml.Join(path, "path"), r.Path}, {strictyaml.Join(path, body), r.Body}}
	return append(all, textsOf(r.Headers, strictyaml.Join(path, "headers"))...)
}

// textsOf lists the values of a mapping in the order of their names, the mapping being at path.
func textsOf(values Values, path string) []located {
	var all []located
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, located{strictyaml.Join(path, name), Text(values[name])})
	}
	return all
}

// maxBody bounds the size of a body, in bytes.
const maxBody = 16 << 20

// readFiles reads the files that requests name, relative to dir.
func (s *Service) readFiles(dir string) (problems strictyaml.Errors) {
	for i := range s.Requests {
		r := &s.Requests[i]
		if r.BodyFile == "" {
			continue
		}
		path := strictyaml.Join(strictyaml.Index("service.requests", i), "body_file")
		body, err := readBounded(relativeTo(dir, r.BodyFile))
		switch {
		case err != nil:
			problems = append(problems, problem(path, "%v", err))
		case r.Body == "" && utf8.Valid(body):
			r.Body = string(body)
		default:
			r.Data = body
		}
	}
	if t := s.TLS; t != nil {
		for key, path := range map[string]*string{"ca": &t.CA, "cert": &t.Cert, "key": &t.Key} {
			if *path == "" {
				continue
			}
			*path = relativeTo(dir, *path)
			absolute, err := filepath.Abs(*path)
			if err == nil {
				err = strictyaml.CheckRegular(absolute)
			}
			if *path = absolute; err != nil {
				problems = append(problems, problem(strictyaml.Join("service.tls", key), "%v", err))
			}
		}
		if (t.Cert == "") != (t.Key == "") {
			problems = append(problems, problem("service.tls", "cert and key need each other"))
		}
	}
	if s.Targets != "" {
		requests, err := readTargets(relativeTo(dir, s.Targets))
		if err != nil {
			return append(problems, problem("service.targets", "%v", err))
		}
		s.Requests = requests
	}
	return problems
}

// relativeTo returns the path of a file that a file in dir names.
func relativeTo(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// readBounded reads a regular file of at most maxBody bytes.
func readBounded(path string) ([]byte, error) {
	if err := strictyaml.CheckRegular(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxBody {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxBody>>20)
	}
	return content, nil
}

// targetLine matches the line with which a target in vegeta's http format begins.
var targetLine = regexp.MustCompile(`^[A-Z]+\s+\S`)

// readTargets reads targets in vegeta's http or json format. Host and scheme are
// dropped: requests go to the service under test alone. Files that the http format
// names ("@body.json") are relative to the file.
func readTargets(path string) ([]Request, error) {
	content, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	asJSON := bytes.HasPrefix(bytes.TrimSpace(content), []byte("{"))
	var requests []Request
	var lines []string // of the target that is being read
	first := 0
	end := func() error {
		if len(lines) == 0 {
			return nil
		}
		r, err := parseTarget(strings.Join(lines, "\n"), asJSON)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, first, err)
		}
		requests, lines = append(requests, r), nil
		return nil
	}
	for i, line := range strings.Split(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n") {
		begins := targetLine.MatchString(line) || asJSON && strings.TrimSpace(line) != ""
		if begins {
			if err := end(); err != nil {
				return nil, err
			}
			first = i + 1
		}
		comment := strings.HasPrefix(strings.TrimSpace(line), "#")
		if body, found := strings.CutPrefix(line, "@"); found && len(lines) > 0 && !asJSON {
			body = relativeTo(filepath.Dir(path), body)
			if err := strictyaml.CheckRegular(body); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
			}
			line = "@" + body
		}
		switch blank := strings.TrimSpace(line) == ""; {
		case comment:
		case blank:
			if err := end(); err != nil {
				return nil, err
			}
		case begins || len(lines) > 0:
			lines = append(lines, line)
		default:
			return nil, fmt.Errorf(`%s:%d: %s is not a target; it must begin with a method and a URL, such as "GET http://127.0.0.1/reports"`, path, i+1, strictyaml.Quote(line))
		}
	}
	if err := end(); err != nil {
		return nil, err
	}
	if len(requests) == 0 {
		return nil, fmt.Errorf("%s has no targets", path)
	}
	return requests, nil
}

// parseTarget reads one target.
func parseTarget(text string, asJSON bool) (Request, error) {
	next := vegeta.NewHTTPTargeter
	if asJSON {
		next = vegeta.NewJSONTargeter
	}
	var t vegeta.Target
	if err := next(strings.NewReader(text+"\n"), nil, nil)(&t); err != nil {
		return Request{}, err
	}
	u, err := url.Parse(t.URL)
	if err != nil {
		return Request{}, err
	}
	r := Request{Method: t.Method, Path: u.RequestURI(), Data: t.Body}
	for name, values := range t.Header {
		if r.Headers == nil {
			r.Headers = Values{}
		}
		r.Headers[name] = strings.Join(values, ", ")
	}
	return r, nil
}

// httpService checks what only an HTTP service that sut.command starts has, and
// what it does not have.
func (c *checker) httpService() {
	s := c.s
	own := s.IsHTTPService()
	for _, path := range []string{"sut.env", "sut.build"} {
		if c.Has(path) && !s.SUT.OwnProgram() {
			c.reportKey(path, "applies only with sut.command or sut.container.image")
		}
	}
	switch {
	case s.SUT.Container.Image != "" && s.Service == nil && len(s.SUT.Command) == 0:
		c.reportKey("sut.container.image", "needs sut.command, a program in it that speaks the protocol, or service with the requests of an HTTP service")
	case s.SUT.Container.Port > 0 && s.Service == nil:
		c.reportKey("sut.container.port", "applies only to an HTTP service; add service with its requests")
	case s.SUT.Container.Port > 0 && s.SUT.Container.Image == "":
		c.reportKey("sut.container.port", "needs sut.container.image")
	}
	for _, path := range []string{"sut.ready", "sut.metrics", "sut.addr", "service.requests", "service.targets", "service.success", "service.connections", "service.tls"} {
		if c.Has(path) && !own {
			c.reportKey(path, "applies only to an HTTP service that sut.command starts; add sut.command and service")
		}
	}
	for i := range s.Variants {
		if path := strictyaml.Join(strictyaml.Index("variants", i), "vars"); c.Has(path) && !s.SUT.OwnProgram() {
			c.reportKey(path, "applies only with sut.command or sut.container.image, whose arguments and environment hold the variables")
		}
	}
	c.scalars("sut.env", s.SUT.Env)
	for i, v := range s.Variants {
		c.scalars(strictyaml.Join(strictyaml.Index("variants", i), "vars"), v.Vars)
	}
	forThis := forProgram
	if own {
		forThis = forCommand
	}
	for i, text := range s.SUT.Command {
		c.knownVariables(strictyaml.Index("sut.command", i), text, forThis)
	}
	for name, v := range s.SUT.Env {
		c.knownVariables(strictyaml.Join("sut.env", name), Text(v), forThis)
	}
	if s.SUT.Runs() {
		c.runsAlready()
	}
	c.host()
	if !own {
		return
	}
	c.ready()
	c.metrics()
	c.requests()
	for _, path := range []string{"service.report_items", "sut.serial", "sut.fetch_timeout", "sut.write_timeout"} {
		if c.Has(path) {
			c.reportKey(path, "does not apply to an HTTP service that sut.command starts")
		}
	}
	uses := s.Uses(VariableAddr) || s.Uses(VariablePort)
	addr, err := netip.ParseAddrPort(s.SUT.Addr)
	switch {
	case s.SUT.Runs() && s.SUT.Addr == "":
	case s.SUT.Container.Port > 0 && s.SUT.Addr == "":
	case s.SUT.Container.Port > 0:
		c.reportKey("sut.addr", "does not apply to a network of its own, whose sut.container.port is published on a free loopback port")
	case s.SUT.Addr == "" && !uses && s.SUT.Container.Image != "":
		c.report("sut.container", "does not say where the service listens: set sut.container.port to the port on which it listens in a network of its own, or let it listen on {{addr}} (or {{port}}) by sut.command or sut.env")
	case s.SUT.Addr == "" && !uses:
		c.report("sut.command", "does not say where the service listens: write {{addr}} (or {{port}}) where the program takes its address, or set sut.addr to the loopback address that it listens on")
	case s.SUT.Addr != "" && (err != nil || !addr.Addr().IsLoopback() || addr.Port() == 0):
		c.report("sut.addr", `must be a loopback address with a port, such as "127.0.0.1:8080" (got %s)`, strictyaml.Quote(s.SUT.Addr))
	}
}

// scalars checks that no value of a mapping is a list.
func (c *checker) scalars(path string, values Values) {
	for name, v := range values {
		if _, isList := v.([]any); isList {
			c.report(strictyaml.Join(path, name), "must be one value (got a list)")
		}
	}
}

// runsAlready checks a service that runs already.
func (c *checker) runsAlready() {
	s := c.s
	if s.Service == nil {
		c.report("sut", "pid and port apply only to an HTTP service; add service with its requests")
	}
	if s.SUT.PID > 0 && s.SUT.Port > 0 {
		c.reportKey("sut.port", "sut.pid and sut.port are mutually exclusive")
	}
	for _, path := range []string{"sut.command", "sut.env", "sut.ready", "sut.nofile", "sut.build", "sut.container"} {
		if c.Has(path) {
			c.reportKey(path, "does not apply to a process that runs already (sut.pid or sut.port)")
		}
	}
	if len(s.Variants) > 1 {
		c.report("variants[1]", "a process that runs already has one variant, as it is not restarted")
	}
}

// host checks the name of another machine.
func (c *checker) host() {
	host := c.s.SUT.Host
	addr, err := netip.ParseAddr(host)
	switch {
	case host == "":
	case c.s.SUT.Port == 0:
		c.reportKey("sut.host", "needs sut.port, on which the service listens there")
	case c.Has("sut.addr"):
		c.reportKey("sut.addr", "sut.host and sut.addr are mutually exclusive")
	case err == nil && (addr.IsLoopback() || addr.IsUnspecified()) || strings.EqualFold(host, "localhost"):
		c.report("sut.host", "is this machine (got %s); remove it, so that the process that listens on sut.port is watched", strictyaml.Quote(host))
	case err != nil && !hostName.MatchString(host):
		c.report("sut.host", "must be a host name or an address without a port (got %s)", strictyaml.Quote(host))
	}
}

// hostName matches a DNS name, possibly with underscores.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$`)

func (c *checker) ready() {
	r := c.s.SUT.Ready
	given := 0
	for _, set := range []bool{r.HTTP != "", r.TCP, r.Log != ""} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		c.report("sut.ready", "http, tcp and log are mutually exclusive")
	case r.HTTP != "" && !strings.HasPrefix(r.HTTP, "/"):
		c.report("sut.ready", "must be a path that begins with a slash (got %s)", strictyaml.Quote(r.HTTP))
	}
}

func (c *checker) requests() {
	s := c.s.Service
	switch {
	case c.Has("service.requests") && c.Has("service.targets"):
		c.reportKey("service.targets", "service.requests and service.targets are mutually exclusive")
	case !c.Has("service.requests") && !c.Has("service.targets") && len(s.Requests) == 0:
		c.report("service", "has no requests; add service.requests or service.targets")
	}
	for i, r := range s.Requests {
		path := strictyaml.Index("service.requests", i)
		if !c.Has(path) { // of a file of targets
			break
		}
		if !strings.HasPrefix(r.Path, "/") {
			c.report(strictyaml.Join(path, "path"), "must begin with a slash (got %s)", strictyaml.Quote(r.Path))
		}
		if c.Has(strictyaml.Join(path, "body")) && c.Has(strictyaml.Join(path, "body_file")) {
			c.reportKey(strictyaml.Join(path, "body_file"), "body and body_file are mutually exclusive")
		}
		if _, err := http.NewRequest(r.Method, "http://127.0.0.1/", nil); err != nil {
			c.report(strictyaml.Join(path, "method"), "must be an HTTP method (got %s)", strictyaml.Quote(r.Method))
		}
		c.scalars(strictyaml.Join(path, "headers"), r.Headers)
		for _, t := range r.texts(path) {
			c.knownVariables(t.path, t.text, forRequest)
		}
	}
}

// closed checks that each "{{" and "${" of the texts that may hold variables is closed.
func (c *checker) closed() {
	const literally = `; to write it literally, give a variant a variable with that value, such as vars: {open: %q}, and write {{open}}`
	for _, t := range c.s.templates() {
		rest := variable.ReplaceAllString(t.text, "")
		switch at := strings.LastIndex(rest, "${"); {
		case at >= 0 && !strings.Contains(rest[at:], "}"):
			c.report(t.path, "a variable of the environment begins with ${ and is not closed by } in %s"+literally, strictyaml.Quote(rest[at:]), "${")
		case strings.HasPrefix(t.path, "upstream."): // it has no other variables
		case strings.Contains(rest, "{{"):
			c.report(t.path, "a variable begins with {{ and is not closed by }} in %s"+literally, strictyaml.Quote(rest[strings.Index(rest, "{{"):]), "{{")
		}
	}
}

// knownVariables checks that every variable of a text has a value in every variant.
func (c *checker) knownVariables(path, text string, builtin []string) {
	for _, v := range c.s.Variants {
		own := v.Variables()
		for _, name := range builtin {
			delete(own, name)
		}
		names := slices.Concat(builtin, slices.Sorted(maps.Keys(own)))
		for _, m := range variable.FindAllStringSubmatch(text, -1) {
			switch name := m[1]; {
			case !slices.Contains(names, name):
				unknown := strictyaml.Unknown("variable", name, names)
				unknown.Reason += fmt.Sprintf(" in variant %s", strictyaml.Quote(v.Name))
				c.at(path, unknown)
				return
			case name == VariableItem && !c.Has("items"):
				c.report(path, "{{item}} needs items, which the scenario does not have")
				return
			}
		}
	}
}
