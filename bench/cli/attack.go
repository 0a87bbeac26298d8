package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/cli/command"
	"floodgate/bench/environment"
	"floodgate/bench/environment/target"
	"floodgate/bench/experiment"
	"floodgate/mockupstream/strictyaml"
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/leak"
	"floodgate/results/summary"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// attackOptions are the flags of "attack".
type attackOptions struct {
	rate       float64
	generators int
	over       time.Duration
	timeout    time.Duration
	headers    []string
	allowed    []string
	nofile     int
	format     string
	root       string
}

func newAttack(stdout io.Writer) *cobra.Command {
	var o attackOptions
	cmd := &cobra.Command{
		Use:   "attack METHOD URL [BODY|@FILE] [-- COMMAND…]",
		Short: "Load an HTTP service now, and tell whether it leaks descriptors",
		Example: `  floodgate attack --rate 200 POST http://127.0.0.1:8080/reports @report.json
  floodgate attack GET http://127.0.0.1:8080/ -- ./reportd -addr 127.0.0.1:8080`,
		Long: `Sends requests at a rate, whatever becomes of the earlier ones, to a service on
this machine. Watches the process that listens there, or starts COMMAND and ends
it by SIGTERM. Prints response times from when requests were due, service times
from when they were sent, errors, descriptors by endpoint, and the verdict: leak
(completed requests leave descriptors open), load (requests in flight hold
them), both, neither, or inconclusive. If the load generator was late, its times
are not valid, and the verdict still holds. Path, headers and body may hold
{{n}}, the number of the request, and ${NAME} of the environment, whose value is
not stored. The run is stored, and report prints it again. A service on another
host gets load with --allow-target HOST; its descriptors stay inconclusive.

Exit codes: 0 load or neither; 1 leak or both; 3 inconclusive; 4 not measured.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args, stdout) },
	}
	o.flags(cmd.Flags())
	cmd.Flags().StringVar(&o.format, "format", "text", "output `format`: text or json")
	cmd.Flags().StringVar(&o.root, "out", command.DefaultRoot, "`folder` of stored runs")
	return cmd
}

// flags are those that make a scenario.
func (o *attackOptions) flags(flags *pflag.FlagSet) {
	flags.Float64Var(&o.rate, "rate", 50, "`requests` a second")
	flags.IntVar(&o.generators, "generators", 1, "`number` of processes that share the requests, for rates that\none cannot send in time")
	flags.DurationVar(&o.over, "for", 30*time.Second, "`duration` of the load")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "`timeout` of a request")
	flags.StringArrayVarP(&o.headers, "header", "H", nil, "`header` \"Name: value\" (repeatable)")
	flags.StringArrayVar(&o.allowed, "allow-target", nil, "other `host` that may receive load (repeatable)")
	flags.IntVar(&o.nofile, "nofile", scenarios.DefaultNoFile, "`limit` of descriptors of COMMAND")
}

// run attacks once.
func (o attackOptions) run(cmd *cobra.Command, args []string, stdout io.Writer) error {
	if o.format != "text" && o.format != "json" {
		return command.Usage(fmt.Errorf("unknown format %q (want text or json)", o.format))
	}
	s, err := o.scenario(cmd, args)
	if err != nil {
		return command.Usage(err)
	}
	if err := errors.Join(unsetArguments(s, cmd, args), command.CheckRoot(o.root)); err != nil {
		return command.Usage(err)
	}
	stored, err := o.measure(cmd.Context(), s, withoutCredentials(s, len(args) > 2 && strings.HasPrefix(args[2], "@") && cmd.ArgsLenAtDash() != 2), o.reproduce(cmd, args))
	if err != nil {
		return command.NotMeasured(err)
	}
	a, err := judgeAttack(stored)
	if err != nil {
		return command.NotMeasured(err)
	}
	if o.format == "json" {
		return command.Exit(a.Exit, a.json(stdout))
	}
	return command.Exit(a.Exit, a.text(stdout, args[0]+" "+args[1], o.again(stored)))
}

// measure runs the only trial of a scenario, and stores it with a scenario without
// credentials. An interrupted one is not stored.
func (o attackOptions) measure(ctx context.Context, s, shown *scenarios.Scenario, again []string) (*results.Run, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s.Blocks, shown.Blocks = 1, 1
	schedule, err := experiment.Schedule(s)
	if err != nil {
		return nil, err
	}
	env := environment.None{Targets: o.allowed}
	header, err := experiment.Header(shown, false, env.Describe(), time.Now())
	if err != nil {
		return nil, err
	}
	header.Command = again
	command.Identify(ctx, &header, s)
	record, err := experiment.NewTrials(env, executable, header.ID).Run(ctx, schedule[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", experiment.ErrInterrupted, context.Cause(ctx))
	}
	return storeAttack(o.root, header, record)
}

// storeAttack stores the only trial of a run, and reads the run.
func storeAttack(root string, header results.Header, record results.Trial) (*results.Run, error) {
	store, err := results.Create(root, header)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := errors.Join(store.Append(withoutLatencies(record)), store.Finish()); err != nil {
		return nil, err
	}
	return results.Open(store.Dir())
}

// lateWarning begins the warning of a trial whose latencies are not valid.
const lateWarning = "response and service times are not valid: "

// withoutLatencies returns a trial that is invalid only because the load generator was
// late as one that was measured: its latencies are wrong, and a warning says so, but
// descriptors follow from the requests that were sent, whenever that was.
func withoutLatencies(record results.Trial) results.Trial {
	s := record.Service
	if record.Outcome != results.OutcomeInvalid || s == nil || !s.GeneratorOverloaded() || s.Stalled != nil || s.Errors["ports"]+s.Errors["emfile"] > 0 {
		return record
	}
	record.Warnings = append(record.Warnings, lateWarning+record.Reason)
	record.Outcome, record.Reason = results.OutcomeOK, ""
	return record
}

// again returns the command that prints the run again.
func (o attackOptions) again(stored *results.Run) string {
	name := stored.Header.ID
	if o.root != command.DefaultRoot {
		name = filepath.Dir(stored.Path)
	}
	return "floodgate report " + name
}

// reproduce returns the command that attacks again, one word each.
func (o attackOptions) reproduce(cmd *cobra.Command, args []string) []string {
	words := []string(command.Reproduce(cmd, args[0]))
	for i, w := range words {
		if name, _, isHeader := strings.Cut(w, ":"); i > 0 && words[i-1] == "--header" && isHeader && scenarios.HoldsCredentials(name, w) {
			words[i] = name + ": " + hidden
		}
	}
	if at := cmd.ArgsLenAtDash(); at >= 0 {
		words = slices.Concat(words, args[1:at], []string{"--"}, args[at:])
	} else {
		words = append(words, args[1:]...)
	}
	for i, w := range words {
		words[i] = results.Redact(w)
	}
	return words
}

// hidden replaces credentials in a record.
const hidden = "***"

// withoutCredentials returns a scenario as it is stored. A body from a file is hidden as a
// whole: the command names the file.
func withoutCredentials(s *scenarios.Scenario, bodyOfFile bool) *scenarios.Scenario {
	stored, service := *s, *s.Service
	service.Requests = slices.Clone(service.Requests)
	for i, r := range service.Requests {
		r.Headers = maps.Clone(r.Headers)
		for name, value := range r.Headers {
			if scenarios.HoldsCredentials(name, scenarios.Text(value)) {
				r.Headers[name] = hidden
			}
		}
		if bodyOfFile {
			r.Body = hidden
		}
		service.Requests[i] = r
	}
	stored.Service = &service
	return &stored
}

// scenario turns the arguments into a scenario, as the loader reads it.
func (o attackOptions) scenario(cmd *cobra.Command, args []string) (*scenarios.Scenario, error) {
	src, err := o.source(cmd, args)
	if err != nil {
		return nil, err
	}
	s, err := scenarios.Parse("the arguments", src)
	var all strictyaml.Errors
	if errors.As(err, &all) { // positions in a text that the user does not see
		var messages []string
		for _, e := range all {
			messages = append(messages, inFlags(e.Message()))
		}
		slices.Sort(messages) // a level repeats the error of its service
		return nil, errors.New(strings.Join(slices.Compact(messages), "\n"))
	}
	return s, err
}

// inFlags returns the message of an error with the flag in place of the field that it set.
func inFlags(message string) string {
	message = strings.TrimPrefix(message, "levels[0].")
	for _, f := range []struct{ field, flag string }{
		{"service.arrivals.rate", "--rate"}, {"service.duration", "--for"}, {"service.timeout", "--timeout"}, {"sut.nofile", "--nofile"}, {"service.generators", "--generators"},
	} {
		if rest, found := strings.CutPrefix(message, f.field+": "); found {
			return f.flag + " " + rest
		}
	}
	return message
}

// unsetArguments returns an error that names each argument with a variable ${NAME} that
// the environment does not set; nil means that there is none.
func unsetArguments(s *scenarios.Scenario, cmd *cobra.Command, args []string) error {
	var errs []error
	for _, unset := range s.Unset(os.LookupEnv) {
		var argument string
		_, header, isHeader := strings.Cut(unset.Path, ".headers.")
		at, inCommand := strings.CutPrefix(unset.Path, "sut.command[")
		switch i, err := strconv.Atoi(strings.TrimSuffix(at, "]")); {
		case inCommand && err == nil:
			argument = fmt.Sprintf("%q after --", args[cmd.ArgsLenAtDash()+i])
		case isHeader:
			argument = "--header " + strconv.Quote(header)
		case strings.HasSuffix(unset.Path, ".path"):
			argument = "URL"
		default:
			argument = "BODY"
			if strings.HasPrefix(args[2], "@") {
				argument = args[2]
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", argument, unset.Err))
	}
	return errors.Join(errs...)
}

// source writes the scenario of the arguments.
func (o attackOptions) source(cmd *cobra.Command, args []string) ([]byte, error) {
	var program []string
	if at := cmd.ArgsLenAtDash(); at >= 0 {
		args, program = args[:at], args[at:]
		if len(program) == 0 {
			return nil, errors.New("-- needs a command after it")
		}
	}
	isURL := func(i int) bool { return len(args) > i && strings.Contains(args[i], "://") }
	switch {
	case isURL(0) && !isURL(1):
		method := "GET"
		if len(args) > 1 { // a body
			method = "POST"
		}
		return nil, fmt.Errorf("the method is missing before the URL; use %s %s %s", cmd.CommandPath(), method, results.Redact(strings.Join(args, " ")))
	case len(args) < 2 || len(args) > 3:
		return nil, errors.New(`want METHOD URL [BODY|@FILE], such as: POST http://127.0.0.1:8080/reports @report.json`)
	case o.rate <= 0:
		return nil, fmt.Errorf("--rate must be above 0 (got %v)", o.rate)
	case o.over <= 0 || o.timeout <= 0:
		return nil, fmt.Errorf("--for and --timeout must be above 0 (got %v and %v)", o.over, o.timeout)
	case program == nil && cmd.Flags().Changed("nofile"):
		return nil, errors.New("--nofile limits COMMAND, which is missing: give it after --, or remove --nofile")
	}
	u, addr, err := o.address(args[1])
	switch {
	case err != nil:
		return nil, err
	case !addr.Addr().IsValid() && program != nil:
		return nil, fmt.Errorf("COMMAND is started on this machine, but the URL leads to %s; use a loopback address", u.Host)
	}
	request := yaml.MapSlice{{Key: "method", Value: args[0]}, {Key: "path", Value: pathOf(args[1], u)}}
	if len(args) == 3 {
		body, err := bodyOf(args[2])
		if err != nil {
			return nil, err
		}
		request = append(request, yaml.MapItem{Key: "body", Value: body})
	}
	headers := yaml.MapSlice{}
	for _, h := range o.headers {
		name, value, found := strings.Cut(h, ":")
		if !found || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf(`--header must be "Name: value" (got %q)`, h)
		}
		headers = append(headers, yaml.MapItem{Key: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	if len(headers) > 0 {
		request = append(request, yaml.MapItem{Key: "headers", Value: headers})
	}
	service := yaml.MapSlice{{Key: "requests", Value: []yaml.MapSlice{request}},
		{Key: "arrivals", Value: yaml.MapSlice{{Key: "rate", Value: number(o.rate)}}},
		{Key: "duration", Value: o.over.String()}, {Key: "timeout", Value: o.timeout.String()}}
	if o.generators != 1 {
		service = append(service, yaml.MapItem{Key: "generators", Value: o.generators})
	}
	if u.Scheme == "https" {
		service = append(service, yaml.MapItem{Key: "tls", Value: yaml.MapSlice{}})
	}
	sut := yaml.MapSlice{{Key: "port", Value: int(addr.Port())}}
	switch {
	case program != nil:
		sut = yaml.MapSlice{{Key: "command", Value: program}, {Key: "addr", Value: addr.String()}, {Key: "nofile", Value: o.nofile}}
	case !addr.Addr().IsValid():
		sut = append(sut, yaml.MapItem{Key: "host", Value: u.Hostname()}, yaml.MapItem{Key: "ready_timeout", Value: answerWithin.String()})
	}
	claim := yaml.MapSlice{{Key: "id", Value: "leak"}, {Key: "statement", Value: "Completed requests leave descriptors open."}, {Key: "expect", Value: "refuted"},
		{Key: "cause", Value: yaml.MapSlice{{Key: "of", Value: []string{"service"}}, {Key: "is", Value: string(leak.Leak)}}}}
	comments := yaml.CommentMap{}
	if program != nil {
		comments["$.sut.nofile"] = []*yaml.Comment{yaml.HeadComment(envComment...)}
	}
	return yaml.MarshalWithOptions(yaml.MapSlice{{Key: "version", Value: 1}, {Key: "name", Value: "attack"}, {Key: "title", Value: args[0] + " " + args[1]},
		{Key: "sut", Value: sut}, {Key: "service", Value: service}, {Key: "claims", Value: []yaml.MapSlice{claim}}}, yaml.WithComment(comments))
}

// envComment shows how a program is told the addresses of servers that runs start for it.
var envComment = []string{
	" If the program needs an API or MongoDB, name the variables that hold their addresses.",
	" floodgate run starts a mock of the API and a MongoDB:",
	" env:",
	"   UPSTREAM_URL: \"{{upstream.url}}\"",
	"   MONGO_URI: \"{{database.uri}}\"",
}

// number returns a whole number as an integer, which YAML writes without a fraction.
func number(x float64) any {
	if n := int64(x); float64(n) == x {
		return n
	}
	return x
}

// answerWithin is the time within which a service on another host must answer.
const answerWithin = 5 * time.Second

// pathOf returns path and query as they were written: variables keep their braces.
func pathOf(text string, u *url.URL) string {
	_, path, _ := strings.Cut(text, "://")
	_, path, _ = strings.Cut(path, u.Host)
	path, _, _ = strings.Cut(path, "#")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return path
}

// address parses the URL of a service on this machine, or on a host that is allowed, of
// which only the port of the address is valid.
func (o attackOptions) address(text string) (*url.URL, netip.AddrPort, error) {
	var none netip.AddrPort
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, none, fmt.Errorf("%q is not a URL such as http://127.0.0.1:8080/reports", results.Redact(text))
	}
	if u.User != nil { // would not be sent, but stored
		return nil, none, fmt.Errorf("%s holds credentials, which would be stored; send them as --header 'Authorization: Basic ${NAME}' of the environment", u.Redacted())
	}
	policy := target.Policy{Allowed: o.allowed}
	if err := policy.Validate(); err != nil {
		return nil, none, err
	}
	host, port := u.Hostname(), u.Port()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		if !policy.Allows(host) {
			return nil, none, fmt.Errorf("%s is not this machine: attack loads services on loopback, such as http://127.0.0.1:8080/, and hosts that their owner and you allow by name: %s %s", u.Host, target.Flag, host)
		}
		ip = netip.Addr{}
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, none, fmt.Errorf("%q has no port from 1 to 65535", text)
	}
	return u, netip.AddrPortFrom(ip, uint16(n)), nil
}

// maxAttackBody bounds the body of a request, in bytes.
const maxAttackBody = 512 << 10

// bodyOf returns a body, or the content of the file that @FILE names.
func bodyOf(arg string) (string, error) {
	path, isFile := strings.CutPrefix(arg, "@")
	if !isFile {
		return arg, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxAttackBody+1)) // a device may be endless
	switch {
	case err != nil:
		return "", err
	case len(content) > maxAttackBody || !utf8.Valid(content):
		return "", fmt.Errorf("%s must be text of at most %d KiB; other bodies need a scenario with body_file (floodgate help run)", path, maxAttackBody>>10)
	}
	return string(content), nil
}

// attackOutcome is what an attack shows.
type attackOutcome struct {
	// Run is the ID of the stored run.
	Run      string           `json:"run"`
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit_code"`
	Cause    leak.Cause       `json:"cause"`
	// Statement is the verdict in a sentence, or the reason why there is none.
	Statement string `json:"statement"`
	// PerRequest and PerInFlight are descriptors by the regression; nil means unknown.
	PerRequest  *float64 `json:"descriptors_per_request,omitempty"`
	PerInFlight *float64 `json:"descriptors_per_request_in_flight,omitempty"`
	// Exhaustion is the time from the start of the load at which the descriptors run out at
	// this rate; nil means that no growth leads there.
	Exhaustion *time.Duration `json:"exhaustion_ns,omitempty"`
	Trial      results.Trial  `json:"trial"`
	nofile     int
}

// judgeAttack judges the only trial of a run, as floodgate report does.
func judgeAttack(run *results.Run) (*attackOutcome, error) {
	judged, err := claims.Judge(run)
	if err != nil {
		return nil, err
	}
	x, err := summary.NewIndex(run)
	if err != nil {
		return nil, err
	}
	t := run.Trials[0]
	served := x.ServiceTrials(t.Variant, x.Levels[0])[0]
	a := &attackOutcome{
		Run: run.Header.ID, Decision: judged.Decision, Exit: judged.Exit,
		Cause: leak.Undecided, Statement: t.Outcome + ": " + t.Reason, Trial: t, nofile: served.NoFile,
	}
	if served.Measured() {
		a.judge(served)
	}
	return a, nil
}

// judge sets what the samples of the trial show.
func (a *attackOutcome) judge(t summary.ServiceTrial) {
	if !t.TimeSeries.Known(results.ColumnDescriptors) {
		a.Statement = "descriptors are not seen on another machine; floodgate watch shows them there"
		return
	}
	fit, err := leak.Regress(t.TimeSeries.Samples, summary.Confidence, t.Seed)
	if err != nil {
		a.Statement = err.Error() + "; load it for longer (--for)"
		return
	}
	a.Cause = fit.Cause()
	a.Statement = fit.Describe(a.Cause, "request", a.nofile)
	if p := fit.PerCompleted; p != nil {
		a.PerRequest = &p.Estimate
	}
	if p := fit.PerInFlight; p != nil {
		a.PerInFlight = &p.Estimate
	}
	if at, ok := fit.HitAt(a.nofile); ok && a.Decision == verdict.Failed {
		a.Exhaustion = &at
	}
	if e := t.TimeSeries.Exhausted; e != nil {
		a.Statement += fmt.Sprintf("; descriptors ran out after %s", text.Duration(e.At))
	}
}

func (a *attackOutcome) json(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(a)
}

// shownEndpoints bounds the groups of connections that are printed.
const shownEndpoints = 8

func (a *attackOutcome) text(w io.Writer, title, again string) error {
	p := text.NewPrinter(command.Terminal(w), 60)
	p.Line(title)
	p.Line("")
	if s := a.Trial.Service; s != nil {
		p.Fact("requests", "%s due, %s done, %s not", text.Count(s.Due), text.Count(s.OK), text.Count(s.Due-s.OK))
		if s.GeneratorOverloaded() {
			p.Fact("response", "not valid, as the load generator was late")
		} else {
			p.Fact("response", "%s, from when a request was due", quantilesOf(s.Response))
			p.Fact("service", "%s, from when it was sent", quantilesOf(s.ServiceTime))
		}
		for i, g := range s.Generators {
			p.Fact("generator", "%d of %d: %s sent, at most %s in flight, %s late in the median, p99 %s, max %s",
				i+1, len(s.Generators), text.Plural(g.Ended, "request", "requests"), text.Count(g.Peak), text.Duration(g.Lag.P50), text.Duration(g.Lag.P99), text.Duration(g.Lag.Max))
		}
		var errs []string
		for name, n := range s.Errors {
			errs = append(errs, name+" × "+text.Count(n))
		}
		if slices.Sort(errs); len(errs) > 0 {
			p.Fact("errors", "%s", strings.Join(errs, ", "))
		}
		d := a.Trial.Descriptors
		of := ""
		if d.Process != "" {
			of = fmt.Sprintf(" (of %s, which COMMAND started)", d.Process)
		}
		if peak, seen := d.Highest(); seen {
			p.Fact("descriptors", "%s before, %s at most, of %s%s", text.Count(d.Baseline), text.Count(peak), text.Count(a.nofile), of)
		}
		for _, e := range d.Endpoints[:min(len(d.Endpoints), shownEndpoints)] {
			p.Fact("", "%s: %d before, %d after, %d at most, %d idle", e.Name, e.First, e.Last, e.Peak, e.Idle)
		}
	}
	for _, warning := range a.Trial.Warnings {
		p.Fact("note", "%s", warning)
	}
	if a.Exhaustion != nil {
		p.Fact("prediction", "at this rate descriptors run out about %s after the start of the load", text.InWords(*a.Exhaustion))
	}
	if a.Decision == verdict.NotMeasured {
		p.Fact("not measured", "%s (exit code %d)", a.Statement, a.Exit)
	} else {
		p.Fact("verdict", "%s: %s (exit code %d)", a.Cause, a.Statement, a.Exit)
	}
	p.Fact("record", "%s", again)
	return p.Flush(w, "the attack")
}

func quantilesOf(h results.Histogram) string {
	return fmt.Sprintf("p50 %s, p95 %s, p99 %s, max %s", text.Duration(h.P50), text.Duration(h.P95), text.Duration(h.P99), text.Duration(h.Max))
}
