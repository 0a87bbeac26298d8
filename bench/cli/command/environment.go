package command

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"floodgate/bench/container"
	"floodgate/bench/environment"
	"floodgate/bench/environment/target"
	"floodgate/bench/environment/upstreamproxy"
	"floodgate/bench/experiment"
	"floodgate/bench/machine"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/pipeline/dialcount"
)

// auto selects the environment.
const auto = "auto"

// DefaultMongoImage is the default of --mongo-image.
const DefaultMongoImage = environment.DefaultMongoImage

// EnvironmentFlags select the upstream and the database.
type EnvironmentFlags struct {
	// Kubernetes runs the kind kubernetes; nil means that it is not available.
	Kubernetes      Kubernetes
	Kind            string
	MongoImage      string
	mongoArgs       string
	mongoURI        string
	mongoURIFile    string
	upstreamURL     string
	upstreamURLFile string
	allowTargets    []string
	keepData        bool
	pin             string
}

// Register registers the flags.
func (f *EnvironmentFlags) Register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.keepData, "keep-data", false, "keep the embedded database's folder")
	flags.StringVar(&f.pin, "pin", "", "`auto` gives SUT, servers and load own cores")
	flags.StringVar(&f.Kind, "env", auto, "environment `kind`: see run")
	if f.Kubernetes != nil {
		f.Kubernetes.Register(flags)
	}
	flags.StringVar(&f.MongoImage, "mongo-image", DefaultMongoImage, "MongoDB `image`, or embedded")
	flags.StringVar(&f.mongoArgs, "mongo-args", "", "`arguments` of MongoDB in containers")
	flags.StringVar(&f.mongoURI, "mongo-uri", "", "MongoDB `URI`, or $FLOODGATE_MONGO_URI")
	flags.StringVar(&f.mongoURIFile, "mongo-uri-file", "", "`file` with the URI (- means standard input)")
	flags.StringVar(&f.upstreamURL, "upstream-url", "", "upstream `URL`, or $FLOODGATE_UPSTREAM_URL")
	flags.StringVar(&f.upstreamURLFile, "upstream-url-file", "", "`file` with the URL (- means standard input)")
	flags.StringArrayVar(&f.allowTargets, "allow-target", nil, "`host` that may receive load (repeatable)")
}

// Setup is the environment that a scenario will run in.
type Setup struct {
	Options  environment.Options
	scenario *scenarios.Scenario
	SUT      *sut.ContainerOptions // nil means that the SUT is a process
	chose    bool                  // the kind was chosen automatically
	note     func(string)
	first    []string // the arguments of the scenario's first item
	shard    scenarios.Shard
	// Launcher starts the SUT and load generators in pods; nil means that they do not run in
	// pods.
	Launcher   experiment.Launcher
	kubernetes Kubernetes
	cluster    Cluster // nil before Start, and without a cluster
	// Pinning holds the cores of the parts of the run; the zero value means any.
	Pinning machine.Pinning
	unpin   func() error // nil before Start
}

// pinAuto is the value of --pin.
const pinAuto = "auto"

// pinning returns the cores that --pin gives the parts of a run of the scenario.
func (f EnvironmentFlags) pinning(s *scenarios.Scenario) (machine.Pinning, error) {
	switch {
	case f.pin == "":
		return machine.Pinning{}, nil
	case f.pin != pinAuto:
		return machine.Pinning{}, fmt.Errorf("unknown --pin %q (want %s)", f.pin, pinAuto)
	case f.Kind == environment.Kubernetes:
		return machine.Pinning{}, errors.New("--pin auto: the kubelet chooses the cores of a pod; use its static CPU manager policy, with whole CPUs in sut.cpus and containers")
	case s.SUT.PID > 0 || s.SUT.Port > 0 || s.SUT.Host != "":
		return machine.Pinning{}, fmt.Errorf("--pin auto: scenario %s measures a service that runs already, whose cores stay as they are; start it by sut.command, or confine it yourself (taskset)", s.Name)
	}
	p, err := machine.PlanPinning()
	if err != nil {
		return p, fmt.Errorf("--pin auto: %w", err)
	}
	return p, nil
}

// RecordPinning records the cores that the flags give the parts of a run.
func (f EnvironmentFlags) RecordPinning(h *results.Header, s *scenarios.Scenario) error {
	p, err := f.pinning(s)
	h.Fingerprint.Pinning = p.String()
	return err
}

// Prepare turns the flags into the options of an environment, and checks that the
// scenario can run there. It starts nothing and prints nothing.
func (f EnvironmentFlags) Prepare(s *scenarios.Scenario, note func(string)) (*Setup, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, NotMeasured(fmt.Errorf("find our own binary: %w", err))
	}
	link, err := experiment.UsesLink(s)
	if err != nil {
		return nil, Usage(err)
	}
	u := &Setup{note: note, scenario: s, kubernetes: f.Kubernetes, Options: environment.Options{
		Kind: f.Kind, Executable: executable, KeepData: f.keepData, Link: link, Note: note, Limits: s.Containers,
		MongoImage: f.MongoImage, MongoArgs: strings.Fields(f.mongoArgs), Policy: target.Policy{Allowed: f.allowTargets},
		OwnProgram: s.SUT.OwnProgram(),
	}}
	if err := f.targets(u); err != nil {
		return nil, Usage(err)
	}
	if err := f.choose(u); err != nil {
		return nil, Usage(err)
	}
	if err := u.fits(s); err != nil {
		return nil, Usage(err)
	}
	if u.Pinning, err = f.pinning(s); err != nil {
		return nil, Usage(err)
	}
	u.Options.Cores = u.Pinning.Servers
	return u, nil
}

// choose selects the kind if the flags or the scenario determine it (else it stays
// auto), and refuses flags that belong to another kind.
func (f EnvironmentFlags) choose(u *Setup) error {
	o := &u.Options
	named := o.Mongo != nil || o.Upstream != nil
	contained := f.wantsContainers(o.Limits) != ""
	if !slices.Contains([]string{auto, environment.Embedded, environment.Containers, environment.External, environment.Kubernetes}, f.Kind) {
		return fmt.Errorf("unknown environment %q (want %s, %s, %s, %s or %s)", f.Kind, auto, environment.Embedded, environment.Containers, environment.External, environment.Kubernetes)
	}
	if f.Kind == environment.Kubernetes && f.Kubernetes == nil {
		return errors.New("this command does not run in a cluster; use --env embedded, containers or external")
	}
	if f.Kind == auto {
		switch {
		case named:
			o.Kind, o.Chosen = environment.External, "--mongo-uri or --upstream-url was given"
		case contained:
			o.Kind, o.Chosen = environment.Containers, f.wantsContainers(o.Limits)
		case o.KeepData:
			o.Kind, o.Chosen = environment.Embedded, "--keep-data was given"
		}
	}
	switch {
	case o.Kind == environment.External && !named:
		return errors.New("--env external needs --mongo-uri, --upstream-url or both")
	case o.Kind == environment.Kubernetes && !o.KeepData:
		return u.fitsPods()
	case o.Kind != environment.External && named:
		return fmt.Errorf("--mongo-uri and --upstream-url need --env external (got %s)", o.Kind)
	case o.Kind != environment.External && len(f.allowTargets) > 0 && u.scenario.SUT.Host == "":
		return errors.New("--allow-target needs --mongo-uri, --upstream-url or a scenario with sut.host")
	case o.Kind != environment.Embedded && o.KeepData:
		return fmt.Errorf("--keep-data needs the embedded environment (got %s)", o.Kind)
	case o.Kind != environment.Containers && contained:
		return fmt.Errorf("%s, which needs --env containers (got %s)", f.wantsContainers(o.Limits), o.Kind)
	}
	return nil
}

// wantsContainers returns the first set option that only containers have; empty means
// none.
func (f EnvironmentFlags) wantsContainers(limits scenarios.Containers) string {
	switch {
	case f.MongoImage != DefaultMongoImage:
		return "--mongo-image was given"
	case f.mongoArgs != "":
		return "--mongo-args was given"
	case limits != (scenarios.Containers{}):
		return "the scenario limits containers"
	}
	return ""
}

// fits returns an error if the scenario cannot run in the environment.
func (u *Setup) fits(s *scenarios.Scenario) error {
	if command := s.SUT.Command; len(command) > 0 && !s.SUT.Contained() {
		if _, err := exec.LookPath(command[0]); err != nil {
			return NotMeasured(fmt.Errorf("sut.command: %w", err))
		}
	}
	if s.SUT.Container.Image != "" && s.Service == nil && u.Options.Kind != environment.Kubernetes {
		return fmt.Errorf("scenario %s: sut.container.image of a program that speaks the protocol needs --env kubernetes (got %s); remove it to run sut.command as a process, or make the program an HTTP service", s.Name, u.Options.Kind)
	}
	if s.SUT.OwnProgram() {
		if u.Options.Upstream != nil {
			if s.IsHTTPService() && !s.Uses(scenarios.VariableUpstreamURL) {
				return fmt.Errorf("scenario %s: the service would not use --upstream-url; hand it {{%s}} in sut.command or sut.env", s.Name, scenarios.VariableUpstreamURL)
			}
			u.Options.Bounds = &upstreamproxy.Bounds{Rate: s.External.MaxRate(), Requests: s.External.MaxRequests()}
		}
	}
	if unset := s.Unset(os.LookupEnv); unset != nil { // of a run that is resumed: others were refused with their positions
		return fmt.Errorf("scenario %s: %w", s.Name, unset)
	}
	if _, err := s.UpstreamRequest(os.LookupEnv); err != nil {
		return err
	}
	if u.Options.Upstream == nil {
		return nil
	}
	levels, err := s.ExpandLevels()
	if err != nil {
		return err
	}
	switch first := levels[0].Scenario; {
	case s.IsHTTPService(): // what it requests is unknown
	case s.Service == nil:
		u.first = first.ItemArgs()[0]
	default:
		u.first = first.ReportArgs(0)[0]
	}
	return experiment.CheckExternal(s)
}

// connect chooses the kind if it is still auto, and connects to the engine if a
// container is needed.
func (u *Setup) connect(ctx context.Context, id string) (err error) {
	if u.Options.Kind == environment.Kubernetes {
		return u.connectCluster(ctx, id)
	}
	contained, err := experiment.UsesContainer(u.scenario)
	if err != nil {
		return err
	}
	if o := &u.Options; o.Kind == auto {
		u.chose = true
		o.Engine, o.Chosen = environment.Choose(ctx, o.Executable, o.MongoImage)
		if o.Kind = environment.Embedded; o.Engine != nil {
			o.Kind = environment.Containers
		}
	}
	if !contained && u.Options.Kind != environment.Containers {
		return nil
	}
	if u.Options.Engine == nil {
		if u.Options.Engine, err = container.Connect(ctx); err != nil {
			return err
		}
	}
	removed, err := u.Options.Engine.Sweep(ctx)
	if err != nil {
		return fmt.Errorf("remove the leftovers of an earlier run: %w", err)
	}
	for _, name := range removed {
		u.note("removed " + name + ", a leftover of a killed run")
	}
	if !contained {
		return nil
	}
	if image := u.scenario.SUT.Container.Image; image != "" {
		u.SUT = &sut.ContainerOptions{Engine: u.Options.Engine}
		if err := u.Options.Engine.Pull(ctx, image, u.note); err != nil {
			return fmt.Errorf("sut.container.image: %w; build it, or load it from a file (docker load)", err)
		}
		return nil
	}
	image, err := u.Options.Engine.Build(ctx, container.RoleSUT, u.Options.Executable, u.note)
	u.SUT = &sut.ContainerOptions{Engine: u.Options.Engine, Image: image}
	return err
}

// Start starts the environment of a run. A service on a host that is not allowed is an
// error, before anything starts.
func (u *Setup) Start(ctx context.Context, root, id string, resumed bool) (*environment.Environment, error) {
	if host := u.scenario.SUT.Host; host != "" {
		if err := u.Options.Policy.Check(ctx, host); err != nil {
			return nil, Usage(fmt.Errorf("sut.host: %w", err))
		}
	}
	if err := u.connect(ctx, id); err != nil {
		return nil, NotMeasured(err)
	}
	if err := u.pin(); err != nil {
		return nil, NotMeasured(err)
	}
	o := u.Options
	o.LogDir = filepath.Join(root, id, "logs")
	o.Database, o.Resume = experiment.DatabaseName(id), resumed
	why := ""
	if o.Chosen != "" {
		why = " (" + o.Chosen + ")"
	}
	u.note(fmt.Sprintf("environment: %s%s", o.Kind, why))
	env, err := environment.Start(ctx, o)
	if err != nil && u.chose && o.Kind == environment.Containers && ctx.Err() == nil {
		o = u.fallBack(o, err)
		env, err = environment.Start(ctx, o)
	}
	if err == nil {
		for _, text := range env.Describe().Notes {
			u.note(text)
		}
	}
	var refused *target.RefusedError
	switch {
	case errors.As(err, &refused):
		return nil, Usage(err)
	case err != nil:
		return nil, NotMeasured(err)
	}
	if err := reaches(u.scenario, env); err != nil {
		return nil, Usage(errors.Join(err, env.Close()))
	}
	if u.shard.Of > 0 && u.Options.Upstream != nil && env.Mock() {
		if err := ownMock(env.UpstreamAddrs()); err != nil {
			return nil, Usage(errors.Join(err, env.Close()))
		}
		u.note("each shard sets the profile of its upstream: no other shard may use " + u.Options.Upstream.Redacted())
	}
	if !env.Mock() {
		if err := u.tryUpstream(ctx, env); err != nil {
			return nil, NotMeasured(errors.Join(err, env.Close()))
		}
		if b := u.Options.Bounds; b != nil {
			u.note(fmt.Sprintf("the program reaches the upstream through %s, where its requests are counted: at most %d in any second and %d in all (external.rate, external.requests)", env.UpstreamURL(), b.Rate, b.Requests))
		}
		u.note("the upstream does not accept a profile (floodgate upstream --control does): the scenario's is ignored, and the ideal makespan is unknown")
	}
	return env, nil
}

// ownMock returns an error if a mock upstream that takes its profile from every run is not
// on this machine: other shards, whose trials run at other times, would set it as well.
func ownMock(addrs []netip.AddrPort) error {
	for _, a := range addrs {
		if !a.Addr().Unmap().IsLoopback() {
			return fmt.Errorf("--shard: the upstream at %v accepts a profile, which every shard would set for the others; start one on each machine (floodgate upstream --control), or one without --control for all", a)
		}
	}
	return nil
}

// reaches returns an error if a service in a network of its own needs a server that it
// cannot reach.
func reaches(s *scenarios.Scenario, env *environment.Environment) error {
	if s.SUT.Container.Port == 0 {
		return nil
	}
	upstream, database := env.Bridged()
	for _, server := range [][2]string{{scenarios.VariableUpstreamURL, upstream}, {scenarios.VariableDatabaseURI, database}} {
		if name, url := server[0], server[1]; url == "" && s.Uses(name) {
			return fmt.Errorf("sut.container.port gives the service a network of its own, from which it cannot reach {{%s}} on the loopback interface of this machine; use --env containers without delays of the database, or remove the port and let the service listen on {{addr}} in the network of this machine", name)
		}
	}
	return nil
}

// fallBack returns the options of an embedded environment, because containers were chosen
// automatically and failed to start with err. They apply to later starts as well.
func (u *Setup) fallBack(o environment.Options, err error) environment.Options {
	o = o.Embedded(err, u.SUT != nil)
	if o.Engine == nil {
		_ = u.Options.Engine.Close()
	}
	u.Options.Kind, u.Options.Chosen, u.Options.Engine = o.Kind, o.Chosen, o.Engine
	u.note(fmt.Sprintf("environment: %s (%s)", o.Kind, o.Chosen))
	return o
}

// pin confines this process, and notes the cores of all parts.
func (u *Setup) pin() (err error) {
	if u.unpin, err = u.Pinning.Apply(); err != nil || u.Pinning.SUT == nil {
		return err
	}
	words := "cores: " + u.Pinning.String()
	if u.Pinning.Note != "" {
		words += "; " + u.Pinning.Note
	}
	u.note(words)
	return nil
}

// Close disconnects from the container engine, and removes the objects of a cluster.
func (u *Setup) Close() {
	if u.unpin != nil {
		if err := u.unpin(); err != nil {
			u.note(fmt.Sprintf("clean up: %v", err))
		}
	}
	if u.cluster != nil {
		if err := u.cluster.Close(); err != nil {
			u.note(fmt.Sprintf("clean up: %v", err))
		}
	}
	if u.Options.Engine != nil {
		_ = u.Options.Engine.Close()
	}
}

// Resumed returns the flags for resuming a run in its environment. It refuses flags of
// another kind.
func (f EnvironmentFlags) Resumed(begun results.Environment) (EnvironmentFlags, error) {
	if f.Kind != auto && f.Kind != begun.Kind {
		return f, fmt.Errorf("the run began with --env %s and cannot be resumed with --env %s", begun.Kind, f.Kind)
	}
	f.Kind = begun.Kind
	for _, c := range begun.Containers {
		if c.Name != "database" {
			continue
		}
		ours := begun.Kind == environment.Kubernetes && strings.HasPrefix(begun.Database, "FerretDB") // in the image of everything else
		if f.MongoImage = c.Image; ours || strings.HasPrefix(c.Image, container.RoleMongo.Repository()+":") {
			f.MongoImage = environment.OwnImage
		}
	}
	return f, nil
}

// Divide leaves the proxy in front of an external upstream the part of a shard of what
// the bounds of the scenario allow all shards together.
func (u *Setup) Divide(s *scenarios.Scenario, shard scenarios.Shard) error {
	u.shard = shard
	b := u.Options.Bounds
	if b == nil {
		return nil
	}
	all, err := experiment.Schedule(s)
	if err != nil {
		return err
	}
	own, err := experiment.ScheduleShard(s, shard)
	if err != nil {
		return err
	}
	b.Rate = scenarios.Share(b.Rate, shard.Host(), shard.Of)
	b.Requests = b.Requests * experiment.Requests(own) / experiment.Requests(all)
	return nil
}

// Sent takes the requests of a run's earlier trials from those that the proxy in front of
// an external upstream allows.
func (u *Setup) Sent(trials []results.Trial) {
	b := u.Options.Bounds
	if b == nil {
		return
	}
	for _, t := range trials {
		if t.Upstream != nil {
			b.Requests = max(0, b.Requests-t.Upstream.Requests)
		}
	}
}

// targets reads the addresses of the user's servers.
func (f EnvironmentFlags) targets(u *Setup) error {
	if err := u.Options.Policy.Validate(); err != nil {
		return err
	}
	uri, err := target.Source{Flag: "--mongo-uri", Value: f.mongoURI, File: f.mongoURIFile, Env: "FLOODGATE_MONGO_URI", Stdin: os.Stdin}.Read()
	if err != nil {
		return err
	}
	if uri != "" {
		if u.Options.Mongo, err = target.ParseMongo(uri); err != nil {
			return err
		}
	}
	url, err := target.Source{Flag: "--upstream-url", Value: f.upstreamURL, File: f.upstreamURLFile, Env: "FLOODGATE_UPSTREAM_URL", Stdin: os.Stdin}.Read()
	if err != nil {
		return err
	}
	if url != "" {
		u.Options.Upstream, err = target.ParseUpstream(url)
	}
	return err
}

// tryUpstream fetches one item, so that a run whose requests all fail does not start. It
// is not one of the requests that the proxy allows a program. It does nothing for an HTTP
// service, whose requests are unknown.
func (u *Setup) tryUpstream(ctx context.Context, env *environment.Environment) error {
	if u.first == nil {
		return nil
	}
	request, err := u.scenario.UpstreamRequest(os.LookupEnv)
	if err != nil {
		return err
	}
	fetcher, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{
		BaseURL: u.Options.Upstream.URL(), Timeout: tryTimeout, Dialer: &dialcount.Counter{Dial: u.Options.Policy.DialContext},
		Request: request, Records: u.scenario.Upstream.RecordsPath(), Secrets: u.scenario.Secrets(os.LookupEnv),
	})
	if err != nil {
		return err
	}
	defer fetcher.Close()
	if _, err := fetcher.Fetch(ctx, calllog.NewItem(u.first...)); err != nil {
		return errors.New(env.Scrub(fmt.Sprintf("try the upstream with the first item, %s: %v", strings.Join(u.first, "/"), err)))
	}
	return nil
}

// UpstreamProbe returns a function that tries the upstream later; nil means that the
// upstream is a mock.
func (u *Setup) UpstreamProbe(env *environment.Environment) func(context.Context) error {
	if env.Mock() {
		return nil
	}
	return func(ctx context.Context) error { return u.tryUpstream(ctx, env) }
}

// tryTimeout bounds the request of tryUpstream.
const tryTimeout = 30 * time.Second
