package experiment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/environment/target"
	"floodgate/bench/load"
	"floodgate/bench/load/generator"
	"floodgate/bench/sut"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
)

// loadSpec is what a load generator has to know of a trial of a service.
type loadSpec struct {
	// Scenario has the service, and the items that are in its requests.
	Scenario *scenarios.Scenario `json:"scenario"`
	// Bases are the URLs of the service's hosts without a path: request k goes to that of
	// index k mod their number.
	Bases []string `json:"bases"`
	// BuiltIn means that the service gets reports; others get Scenario's own requests.
	BuiltIn bool `json:"built_in,omitempty"`
	// Variables are those of the variant.
	Variables variables `json:"variables,omitempty"`
	// Seed is that of the arrivals, of which the generator sends Share.
	Seed  uint64     `json:"seed"`
	Share load.Share `json:"share"`
	// Allowed are the hosts beyond loopback that may get load.
	Allowed []string `json:"allowed,omitempty"`
	// Environment has the variables of the environment that the requests name, for a
	// generator that does not have that of the harness; nil means that it has.
	Environment map[string]string `json:"environment,omitempty"`
	// Name is the attack's name in vegeta's results.
	Name string `json:"name,omitempty"`
	// Traces names the traces of requests; nil means that they are not traced.
	Traces *sut.TraceSpec `json:"traces,omitempty"`
}

// options returns the attack but for its requests and the way to the service.
func (l *loadSpec) options() load.Options {
	s := l.Scenario.Service
	over := time.Duration(s.Duration)
	o := load.Options{
		Timeout: time.Duration(s.Timeout), Name: l.Name,
		Arrivals: load.Arrivals{Rate: rateOf(s.Arrivals, over), Poisson: s.Arrivals.Poisson, Seed: l.Seed, For: over, Share: l.Share},
	}
	if l.Traces != nil {
		o.Traceparent = requestParent(*l.Traces)
	}
	if l.BuiltIn {
		for _, base := range l.Bases {
			o.URLs = append(o.URLs, base+reportsPath)
		}
		return o
	}
	c := s.Connections
	o.Success, o.Fresh = s.Done, c.KeepAlive != nil && !*c.KeepAlive
	o.MaxConns = scenarios.Share(c.Max, l.Share.Index, max(l.Share.Of, 1))
	return o
}

// LoadOptions returns the attack of a load generator that is a process of its own, from
// the specification that a trial has sent to it: see [generator.Main]. Like a trial, it
// refuses another host than loopback unless the run allows it.
func LoadOptions(text []byte) (load.Options, error) {
	var l loadSpec
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&l); err != nil {
		return load.Options{}, fmt.Errorf("read the specification of a load: %w", err)
	}
	if l.Scenario == nil || l.Scenario.Service == nil {
		return load.Options{}, errors.New("the specification of a load has no service")
	}
	if len(l.Bases) == 0 {
		return load.Options{}, errors.New("the specification of a load has no bases")
	}
	targets := target.Policy{Allowed: l.Allowed}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	for _, text := range l.Bases {
		base, err := url.Parse(text)
		if err != nil {
			return load.Options{}, err
		}
		if err := targets.Check(ctx, base.Hostname()); err != nil {
			return load.Options{}, err
		}
	}
	o := l.options()
	o.Dial = targets.DialContext
	if l.BuiltIn {
		o.Body = func(n uint64) []byte { return reportBody(l.Scenario, n) }
		return o, nil
	}
	if t := l.Scenario.Service.TLS; t != nil {
		var err error
		if o.TLS, err = clientTLS(*t); err != nil {
			return load.Options{}, err
		}
	}
	q := &requests{scenario: l.Scenario, bases: l.Bases, values: l.Variables, items: requestItems(l.Scenario)}
	if l.Environment != nil {
		q.lookup = func(name string) (value string, set bool) { value, set = l.Environment[name]; return value, set }
	}
	o.Request = func(n uint64) load.Request {
		r, _ := q.request(n) // each kind was made before
		return r
	}
	return o, q.try()
}

// resolveTimeout bounds the resolution of the name of a service.
const resolveTimeout = 5 * time.Second

// reportsPath is the path of the built-in service.
const reportsPath = "/reports"

// reportBody returns the body of a report to the built-in service.
func reportBody(s *scenarios.Scenario, n uint64) []byte {
	body, _ := json.Marshal(map[string]any{"items": s.ReportArgs(n)}) // strings never fail
	return body
}

// requests makes the requests of an HTTP service.
type requests struct {
	scenario *scenarios.Scenario
	bases    []string // the URLs of the service's hosts without a path, which take turns
	values   variables
	items    [][]string // nil means none
	// lookup returns the variables of the environment; nil means os.LookupEnv.
	lookup func(name string) (value string, set bool)
}

// requestItems returns the items that requests may hold; nil means that the scenario has none.
func requestItems(s *scenarios.Scenario) [][]string {
	if s.Items.Kind == "" && s.Items.File == "" {
		return nil
	}
	return s.ItemArgs()
}

// try makes as many requests as the service has kinds of them, and returns the first error.
func (q *requests) try() error {
	for n := range uint64(len(q.scenario.Service.Requests)) {
		if _, err := q.relative(n); err != nil {
			return fmt.Errorf("service.requests: %w", err)
		}
	}
	return nil
}

// request makes the request of number n to the host whose turn it is.
func (q *requests) request(n uint64) (load.Request, error) {
	made, err := q.relative(n)
	made.URL = q.bases[n%uint64(len(q.bases))] + made.URL
	return made, err
}

// relative makes the request of number n, whose URL begins with the path.
func (q *requests) relative(n uint64) (load.Request, error) {
	r := q.scenario.Pick(n)
	made := load.Request{Method: r.Method, Body: r.Data}
	literal := q.scenario.Service.Targets != ""
	var err error
	lookup := q.lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	more := map[string]string{scenarios.VariableNumber: strconv.FormatUint(n, 10)}
	if len(q.items) > 0 {
		more[scenarios.VariableItem] = strings.Join(q.items[n%uint64(len(q.items))], "/")
	}
	expand := func(text string) string {
		if literal || err != nil {
			return text
		}
		var expanded string
		expanded, err = q.values.expand(text, more, lookup)
		return expanded
	}
	made.URL = expand(r.Path)
	if r.Body != "" {
		made.Body = []byte(expand(r.Body))
	}
	for name, v := range r.Headers {
		if made.Header == nil {
			made.Header = http.Header{}
		}
		made.Header.Set(name, expand(scenarios.Text(v)))
	}
	return made, err
}

// generators are the load generators of a trial that has several.
type generators struct {
	*generator.Group
	parts []*load.Recorder // what each has sent
}

// startGenerators starts the load generators, unless the harness is the only one. stop ends
// them.
func (t *serviceTrial) startGenerators(ctx context.Context) (stop func(), err error) {
	n := t.scenario.Service.GeneratorCount()
	var group *generator.Group
	switch r := t.trials; {
	case r.Launcher != nil: // the harness is too far away to send any load
		group, err = generator.Launch(ctx, r.Launcher, HostOf(r.RunID, t.planned.Index, t.scenario, 0, 1), n)
	case n == 1:
		return func() {}, nil
	default:
		group, err = generator.Start(ctx, r.Executable, n)
	}
	if err != nil {
		return nil, err
	}
	t.generators = &generators{Group: group}
	for range n {
		t.generators.parts = append(t.generators.parts, load.NewRecorder())
	}
	return group.Stop, nil
}

// prepareGenerators tells the load generators what they will send, once it is known where
// the hosts listen.
func (t *serviceTrial) prepareGenerators() error {
	if t.requests != nil {
		t.requests.bases = nil
		for _, h := range t.hosts {
			t.requests.bases = append(t.requests.bases, h.base)
		}
	}
	if t.generators == nil {
		return nil
	}
	return t.generators.Prepare(t.trials.SaveVegeta != nil, func(i int) any { return t.spec(i).forProcess(t) })
}

// spec returns the specification of a load generator.
func (t *serviceTrial) spec(generator int) *loadSpec {
	l := &loadSpec{Scenario: t.scenario, BuiltIn: t.requests == nil, Seed: t.planned.Seed}
	if t.traces != nil {
		l.Traces = &t.traces.spec
	}
	for _, h := range t.hosts {
		l.Bases = append(l.Bases, h.generatorBase())
	}
	if n := t.scenario.Service.GeneratorCount(); n > 1 {
		l.Share = load.Share{Index: generator, Of: n}
	}
	if t.requests == nil { // another service would get the name as a header
		l.Name = fmt.Sprintf("%s %s block=%d", t.planned.Variant.Name, t.planned.Level.Name, t.planned.Block)
	}
	return l
}

// forProcess returns the specification as another process needs it: without the parts of
// the scenario that do not concern it, and with texts in place of other values.
func (l *loadSpec) forProcess(t *serviceTrial) *loadSpec {
	s, service := l.Scenario, *l.Scenario.Service
	service.Requests = slices.Clone(service.Requests)
	for i, r := range service.Requests {
		r.Headers = maps.Clone(r.Headers)
		for name, v := range r.Headers {
			r.Headers[name] = scenarios.Text(v)
		}
		service.Requests[i] = r
	}
	sent := *l
	sent.Scenario = &scenarios.Scenario{Seed: s.Seed, Items: s.Items, Upstream: mockupstream.Profile{Request: s.Upstream.Request}, Service: &service}
	sent.Variables = t.planned.Variant.Variables()
	sent.Allowed = slices.Clip(t.trials.Environment.AllowedTargets())
	for _, h := range t.hosts {
		base, err := url.Parse(h.inside)
		if err != nil || h.inside == "" {
			continue
		}
		sent.Allowed = append(sent.Allowed, base.Hostname()) // the pod of the host is our own
		if sent.Environment == nil {
			named := *sent.Scenario
			named.Variants = []scenarios.Variant{t.planned.Variant}
			sent.Environment = named.Environment(os.LookupEnv)
		}
	}
	return &sent
}

// attack sends the load: all of it, or the share of the first of several generators beside
// the others.
func (t *serviceTrial) attack(ctx context.Context, o load.Options) error {
	if t.generators == nil {
		return t.trials.attack(ctx, o)
	}
	return t.generators.Attack(ctx, func(ctx context.Context, start time.Time) error {
		o.Start = start
		if t.traces != nil {
			t.traces.began(start)
		}
		return t.trials.attack(ctx, o)
	}, func(i int) generator.Events {
		events := generator.Events{
			Due: func(d load.Due) { t.due(i, d) },
			Ended: func(e load.Ended) {
				t.count(e.Report) // it was sent
				t.ended(i, e)
			},
		}
		if t.trials.SaveVegeta != nil {
			events.Keep = t.keep
		}
		return events
	})
}

// notLoaded returns the outcome of a trial whose load ended with an error. If a load
// generator failed, that says nothing about the SUT.
func notLoaded(err error) (outcome string) {
	var failed *generator.FailedError
	if errors.As(err, &failed) {
		return results.OutcomeInvalid
	}
	return results.OutcomeFailed
}

// due records a request that is due at a generator.
func (t *serviceTrial) due(generator int, d load.Due) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recorder.Due(d)
	if r := t.hostOf(d.Seq).recorder; r != nil {
		r.Due(d)
	}
	if t.generators != nil {
		t.generators.parts[generator].Due(d)
	}
}

// ended records a request of a generator that has ended.
func (t *serviceTrial) ended(generator int, e load.Ended) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recorder.Ended(e)
	if r := t.hostOf(e.Report).recorder; r != nil {
		r.Ended(e)
	}
	t.early.add(e.Intended, time.Duration(t.scenario.Service.Duration), e.Service())
	if t.generators != nil {
		t.generators.parts[generator].Ended(e)
	}
	if e.Error == "" {
		t.mark(e.Report, reportDone)
	}
	if t.feed != nil {
		t.feed.record(e)
	}
	if t.recent != nil {
		t.recent.record(e)
	}
	if t.traces != nil {
		t.traces.ended(e)
	}
}

// keep keeps one of vegeta's results.
func (t *serviceTrial) keep(r *vegeta.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attacks = append(t.attacks, r)
}

// result returns the records of the generators; nil means that there was one.
func (g *generators) result() ([]results.Generator, error) {
	if g == nil {
		return nil, nil
	}
	var all []results.Generator
	for i, report := range g.Reports() {
		s, err := g.parts[i].Summary()
		if err != nil {
			return nil, err
		}
		all = append(all, results.Generator{
			Index: i, Due: s.Due, Ended: s.Ended, Dropped: s.Dropped, Late: s.Late, Errors: s.Errors,
			Peak: g.parts[i].Counts().Peak, Lag: s.Lag,
			Start: report.Late, ClockOffset: report.Offset, Uncertainty: report.Uncertainty, Container: report.Container,
		})
	}
	return all, nil
}

// checkGenerators makes a trial invalid if a load generator did not offer its part of the
// scenario's load over a time: it could not send requests for lack of ports or
// descriptors, started them too late, or began too long after the others.
func checkGenerators(s *results.Service, over time.Duration) (outcome string, err error) {
	for _, g := range generatorsOf(s) {
		// These are errors of the generator's own requests; the record's errors are the SUT's.
		if ports, fds := g.Errors["ports"], g.Errors["emfile"]; ports+fds > 0 {
			return results.OutcomeInvalid, fmt.Errorf("%s could not connect: of %d requests %d found no free local port and %d no free descriptor; lower the rate, or raise net.ipv4.ip_local_port_range or ulimit -n",
				results.GeneratorName(g.Index, len(s.Generators)), g.Ended, ports, fds)
		}
	}
	if o, overloaded := s.Overload(); overloaded {
		return results.OutcomeInvalid, fmt.Errorf("%s was too slow: it started requests %v late in the median (bound %v) and %d of %d more than %v late (bound: 1 %%)",
			o.Generator, o.Median.Round(time.Microsecond), results.LagMedianBound, o.Late, o.Ended, results.LagBound)
	}
	if len(s.Generators) == 0 {
		return "", nil
	}
	first, last, uncertainty := s.Generators[0].Start, s.Generators[0].Start, time.Duration(0)
	for _, g := range s.Generators {
		first, last, uncertainty = min(first, g.Start), max(last, g.Start), max(uncertainty, g.Uncertainty)
	}
	if skew, most := last-first, results.MaxSkew(over); skew+uncertainty > most {
		return results.OutcomeInvalid, fmt.Errorf("the load generators started %v apart, ± %v, more than %v (1 %% of service.duration, and at least 5ms)",
			skew.Round(time.Microsecond), uncertainty.Round(time.Microsecond), most.Round(time.Microsecond))
	}
	return "", nil
}

// generatorsOf returns the load generators of a trial, also where there was one.
func generatorsOf(s *results.Service) []results.Generator {
	if len(s.Generators) > 0 {
		return s.Generators
	}
	return []results.Generator{{Ended: s.Ended, Errors: s.Errors}}
}
