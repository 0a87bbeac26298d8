// Package environment starts, checks and stops the servers of a trial, an upstream and a
// MongoDB. They are child processes of this program (kind embedded, see [RunChild]),
// containers, pods of a cluster (kubernetes), or the user's own servers (external):
//
//	env, err := environment.Start(ctx, environment.Options{})
//	…
//	defer env.Close()
//	fmt.Println(env.UpstreamURL()) // http://127.0.0.1:39125
//	fmt.Println(env.MongoURI())    // mongodb://127.0.0.1:38361/
//
// Nothing outlives the environment. Children end with Close, and by themselves when this
// process dies, however it dies. In that case another child, the reaper, removes the
// containers and the database that was written to on an external server. The next Start
// removes remaining files.
package environment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"floodgate/bench/container"
	"floodgate/bench/environment/child"
	"floodgate/bench/environment/scratch"
	"floodgate/bench/environment/target"
	"floodgate/bench/environment/upstreamproxy"
	"floodgate/bench/internal/affinity"
	"floodgate/results"
	"floodgate/scenarios"
)

// Options of an environment. The zero value works: it is an embedded one.
type Options struct {
	// Kind is Embedded (default), Containers, External or Kubernetes.
	Kind string
	// Chosen is the reason for the Kind if it was selected automatically.
	Chosen string
	// Executable runs the children. It must pass arguments that start with one of
	// [Children] to [RunChild]. Default: the running program.
	Executable string
	// LogDir is the directory of the logs NAME.log; it is created if necessary. Default:
	// a temporary directory, removed by Close.
	LogDir string
	// KeepData keeps the embedded database's files in the directory "data" of LogDir.
	// Otherwise they are temporary.
	KeepData bool
	// Link puts a proxy in front of the database, which ConfigureDatabase requires.
	Link bool
	// ReadyTimeout bounds the start of each server and its answer to Ensure. Default
	// 20s, and 60s for a container.
	ReadyTimeout time.Duration
	// Note receives one-line messages about slow steps and unusual conditions; nil means
	// that nothing is called.
	Note func(string)

	// Cores are the cores that the servers on this machine may use, in processes or
	// containers; nil means any.
	Cores affinity.Cores

	// Engine runs the containers of kind Containers and others that the caller starts.
	// All of them are removed when this process dies. Nil means that there are none.
	Engine *container.Engine
	// MongoImage is the image of the database; [OwnImage] is built from this program.
	// Default: [DefaultMongoImage]. MongoArgs are passed to its main program.
	MongoImage string
	MongoArgs  []string
	// Limits of the containers.
	Limits scenarios.Containers
	// DataSize bounds the data of the database's container in bytes and keeps them in
	// memory; zero means unlimited, on disk.
	DataSize int64

	// Pods runs the servers of kind Kubernetes; nil means that there is no cluster.
	Pods Pods

	// Mongo and Upstream are the user's servers for kind External, where a nil one is
	// embedded, and for kind Kubernetes, where a nil one is a pod.
	// Policy determines the hosts that connections may go to.
	Mongo    *target.Mongo
	Upstream *target.Upstream
	Policy   target.Policy
	// OwnProgram reports that the SUT is the user's own program, which receives the
	// connection string unchanged.
	OwnProgram bool
	// Bounds puts a proxy that enforces them in front of Upstream, unless that is a
	// built-in mock; nil means that the SUT connects to Upstream itself.
	Bounds *upstreamproxy.Bounds
	// Database is the database that is written to. On an external server, it must not
	// exist unless Resume is set, and Close drops it.
	Database string
	Resume   bool
}

// DefaultMongoImage is the image of the database in containers.
const DefaultMongoImage = "mongo:8"

// OwnImage as Options.MongoImage selects the embedded database in a container.
const OwnImage = "embedded"

// stopGrace bounds the time that a server may take to stop.
const stopGrace = 5 * time.Second

// Environment is an upstream and a database.
type Environment struct {
	options  Options
	provider provider
	logs     *scratch.Folder // nil: LogDir is the caller's
	http     *http.Client
	scrubber target.Scrubber
	reaper   *child.Process // nil: there is nothing to remove
	// answerTimeout bounds a server's answer to Ensure.
	answerTimeout time.Duration

	mu       sync.Mutex // guards what follows
	upstream *upstream
	mongo    *database
	proxy    *child.Process // nil without Link
	// proxyInside is the address of a proxy in a pod in the network of the cluster.
	proxyInside netip.AddrPort
	client      *driver.Client
	link        scenarios.Database
	seed        uint64
	version     string // of the database
	// sentBefore and sent are the requests through earlier proxies in front of an external
	// upstream and through the present one, as of the last ProxyStats.
	sentBefore, sent int
}

// Start starts the servers and waits until each has answered a request. After an error,
// it has stopped and removed all of them.
func Start(ctx context.Context, o Options) (_ *Environment, err error) {
	// Connections of this program must not appear in the upstream's statistics.
	transport := &http.Transport{DisableKeepAlives: true, DialContext: o.Policy.DialContext}
	e := &Environment{options: o, http: &http.Client{Transport: transport, Timeout: time.Minute}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start %s environment: %w", e.options.Kind, err), e.Close())
			err = e.scrubber.Error(err)
		}
	}()
	if err := e.prepareOptions(); err != nil {
		return nil, err
	}
	if err := e.startReaper(ctx); err != nil {
		return nil, err
	}
	return e, e.startServers(ctx)
}

// startServers starts upstream and database concurrently. If a container or a pod fails, it
// cancels the other, whose image may still be downloading, and returns only the first error.
func (e *Environment) startServers(ctx context.Context) error {
	starting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	starts := []func(context.Context) error{e.startDatabase, e.startUpstream}
	errs := make([]error, len(starts))
	var wg sync.WaitGroup
	for i, start := range starts {
		wg.Go(func() {
			if errs[i] = start(starting); errs[i] != nil && (e.options.Kind == Containers || e.options.Kind == Kubernetes) {
				giveUp(errs[i])
			}
		})
	}
	wg.Wait()
	if first := context.Cause(starting); first != nil && ctx.Err() == nil {
		return first
	}
	return errors.Join(errs...)
}

func (e *Environment) prepareOptions() (err error) {
	o := &e.options
	if err := e.choose(); err != nil {
		return err
	}
	if o.Executable == "" {
		if o.Executable, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	if o.LogDir != "" {
		return os.MkdirAll(o.LogDir, 0o755)
	}
	if o.KeepData {
		return errors.New("KeepData needs a LogDir to keep the data in")
	}
	if _, err := scratch.Sweep("", logPrefix); err != nil {
		return err
	}
	if e.logs, err = scratch.New("", logPrefix); err != nil {
		return err
	}
	o.LogDir = e.logs.Path()
	return nil
}

// choose sets the provider of the kind.
func (e *Environment) choose() error {
	o := &e.options
	timeout := 20 * time.Second
	switch o.Kind {
	case "", Embedded:
		o.Kind, e.provider = Embedded, embedded{e}
	case Containers:
		e.provider = containers{e}
		timeout = 60 * time.Second
		o.MongoImage = cmp.Or(o.MongoImage, DefaultMongoImage)
		if o.Engine == nil {
			return errors.New("containers need an engine")
		}
	case External:
		e.provider = external{e}
		if o.Mongo == nil && o.Upstream == nil {
			return errors.New("an external environment needs a database or an upstream")
		}
		e.scrubber = target.NewScrubber(o.secrets())
	case Kubernetes:
		e.provider = kubernetes{e}
		timeout = 60 * time.Second
		o.MongoImage = cmp.Or(o.MongoImage, DefaultMongoImage)
		if o.Pods == nil {
			return errors.New("pods need a cluster")
		}
		e.scrubber = target.NewScrubber(o.secrets())
	default:
		return fmt.Errorf("unknown environment %q (want %s, %s, %s or %s)", o.Kind, Embedded, Containers, External, Kubernetes)
	}
	if o.KeepData && o.Kind != Embedded {
		return fmt.Errorf("the data of environment %s cannot be kept, only those of %s", o.Kind, Embedded)
	}
	if o.ReadyTimeout == 0 {
		o.ReadyTimeout = timeout
	}
	e.answerTimeout = o.ReadyTimeout
	return nil
}

// DataPrefix is the prefix of temporary directories of databases.
const DataPrefix = "floodgate-mongo-"

// logPrefix is the prefix of temporary directories of logs.
const logPrefix = "floodgate-log-"

// Close stops the servers, drops the database on an external server, and removes files.
// It may be called repeatedly. A server that died before is not an error.
func (e *Environment) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	if e.client != nil {
		errs = append(errs, e.scrubber.Error(e.dropExternal()))
		disconnect(e.client)
		e.client = nil
	}
	e.http.CloseIdleConnections()
	errs = append(errs, e.stopServers()...)
	errs = append(errs, e.dismissReaper())
	_, err := scratch.Sweep("", DataPrefix) // of a child that was killed
	errs = append(errs, err)
	if e.logs != nil {
		errs = append(errs, e.logs.Remove())
		e.logs = nil
	}
	return errors.Join(errs...)
}

func (e *Environment) stopServers() []error {
	var running []server
	if e.proxy != nil {
		running = append(running, local{e.proxy})
	}
	if e.mongo != nil {
		running = append(running, e.mongo.server)
	}
	if e.upstream != nil {
		running = append(running, e.upstream.server)
	}
	errs := make([]error, len(running))
	var wg sync.WaitGroup
	for i, s := range running {
		wg.Go(func() {
			died := s.Err() != nil
			if err := s.Stop(stopGrace); !died {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	e.proxy, e.mongo, e.upstream = nil, nil, nil
	return errs
}

// Describe returns the environment's description for the record.
func (e *Environment) Describe() results.Environment {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := results.Environment{Database: e.version, Upstream: upstreamVersion, Chosen: e.options.Chosen, Targets: e.options.Policy.Allowed}
	if e.options.Engine != nil {
		d.Engine = e.options.Engine.Version()
	}
	e.provider.describe(&d, e.upstream, e.mongo)
	return d
}

// Scrub removes the credentials of external servers from a text.
func (e *Environment) Scrub(text string) string { return e.scrubber.Scrub(text) }
