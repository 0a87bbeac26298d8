// Package environment starts, checks and tears down what a trial needs beside
// the system under test: the mock upstream and a MongoDB, each in a child
// process that runs this very program (see [RunChild]).
//
// Nothing outlives the environment: children end with Close, and by themselves
// when this process dies in whatever way; folders that even that leaves behind
// are removed by the next Start.
package environment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"floodgate/bench/environment/child"
	"floodgate/bench/environment/scratch"
	"floodgate/results"
)

// Options of an environment. The zero value works.
type Options struct {
	// Executable is what runs the children: it must pass arguments that begin
	// with one of [Children] to [RunChild]. Default: the running program.
	Executable string
	// LogDir is where the children's logs go, NAME.log each. It is made when
	// absent. Default: a temporary folder, removed by Close.
	LogDir string
	// KeepData keeps the database's files, in the folder "data" of LogDir.
	// Without it they are in a temporary folder and removed.
	KeepData bool
	// DatabaseLatency puts a proxy before the database, without which
	// SetDatabaseLatency cannot set any.
	DatabaseLatency bool
	// ReadyTimeout bounds the start of each child, and its answer to Ensure. Default 20s.
	ReadyTimeout time.Duration
}

// stopGrace is how long a child may take to end when it is told to.
const stopGrace = 5 * time.Second

// Environment is the embedded environment: an upstream and a database.
type Environment struct {
	options Options
	logs    *scratch.Folder // nil: LogDir is the caller's
	http    *http.Client

	mu       sync.Mutex // guards what follows
	upstream *child.Process
	mongo    *child.Process
	proxy    *child.Process // nil without DatabaseLatency
	client   *driver.Client
	latency  time.Duration
	version  string // of the database
}

// Start starts the children and waits until each has answered a request. After
// an error nothing is left of them.
func Start(ctx context.Context, o Options) (_ *Environment, err error) {
	// No connection of ours stays open: the upstream's figures are to be the SUT's.
	e := &Environment{options: o, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start embedded environment: %w", err), e.Close())
		}
	}()
	if err := e.prepareOptions(); err != nil {
		return nil, err
	}
	var upstreamErr error
	var wg sync.WaitGroup
	wg.Go(func() { upstreamErr = e.startUpstream(ctx) })
	err = e.startDatabase(ctx)
	wg.Wait()
	return e, errors.Join(err, upstreamErr)
}

func (e *Environment) prepareOptions() (err error) {
	o := &e.options
	if o.Executable == "" {
		if o.Executable, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
	}
	if o.ReadyTimeout == 0 {
		o.ReadyTimeout = 20 * time.Second
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

// DataPrefix begins the names of temporary folders of databases.
const DataPrefix = "floodgate-mongo-"

// logPrefix begins those of logs.
const logPrefix = "floodgate-log-"

// spawn starts a child and waits until check, its first request, succeeds.
func (e *Environment) spawn(ctx context.Context, name string, args []string, check func(context.Context, *child.Process) error) (*child.Process, error) {
	timeout := fmt.Errorf("not ready after %s", e.options.ReadyTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, e.options.ReadyTimeout, timeout)
	defer cancel()
	p, err := child.Start(ctx, child.Options{
		Name:       name,
		Executable: e.options.Executable,
		Args:       append([]string{name + childSuffix}, args...),
		Log:        filepath.Join(e.options.LogDir, name+".log"),
	})
	if err != nil {
		return nil, err
	}
	if err := check(ctx, p); err != nil {
		_ = p.Stop(stopGrace)
		return nil, fmt.Errorf("check %s: %w", name, errors.Join(err, p.Err()))
	}
	return p, nil
}

// Close ends the children and removes their files. It may be called again. That
// a child had died before is no error of Close.
func (e *Environment) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.client != nil {
		disconnect(e.client)
		e.client = nil
	}
	e.http.CloseIdleConnections()
	errs := make([]error, 3)
	var wg sync.WaitGroup
	for i, p := range []**child.Process{&e.proxy, &e.mongo, &e.upstream} {
		if *p != nil {
			wg.Go(func() {
				died := (*p).Err() != nil
				if err := (*p).Stop(stopGrace); !died {
					errs[i] = err
				}
				*p = nil
			})
		}
	}
	wg.Wait()
	_, err := scratch.Sweep("", DataPrefix) // of a child that was killed
	errs = append(errs, err)
	if e.logs != nil {
		errs = append(errs, e.logs.Remove())
		e.logs = nil
	}
	return errors.Join(errs...)
}

// Describe names the environment for the record.
func (e *Environment) Describe() results.Environment {
	e.mu.Lock()
	defer e.mu.Unlock()
	return results.Environment{Kind: "embedded", Database: e.version, Upstream: upstreamVersion}
}

// PIDs are the process IDs of the children that were started, by name.
func (e *Environment) PIDs() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	pids := map[string]int{}
	for name, p := range map[string]*child.Process{upstreamName: e.upstream, mongoName: e.mongo, proxyName: e.proxy} {
		if p != nil {
			pids[name] = p.PID()
		}
	}
	return pids
}

// UpstreamAddr is where the upstream listens. It changes when Ensure restarts it.
func (e *Environment) UpstreamAddr() netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	return addr(e.upstream)
}

// UpstreamURL is the upstream's base URL, without a slash at the end.
func (e *Environment) UpstreamURL() string { return "http://" + e.UpstreamAddr().String() }

// MongoAddr is where the system under test connects to the database: the
// proxy's address with DatabaseLatency. It changes when Ensure restarts it.
func (e *Environment) MongoAddr() netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.options.DatabaseLatency {
		return addr(e.proxy)
	}
	return addr(e.mongo)
}

// MongoURI is the connection string for MongoAddr.
func (e *Environment) MongoURI() string { return mongoURI(e.MongoAddr()) }

func mongoURI(a netip.AddrPort) string { return "mongodb://" + a.String() + "/" }

// addr is the zero address for a child that could not be restarted.
func addr(p *child.Process) netip.AddrPort {
	if p == nil {
		return netip.AddrPort{}
	}
	return p.Addr
}
