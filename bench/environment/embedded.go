package environment

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"floodgate/bench/environment/child"
	"floodgate/bench/environment/dbproxy"
	"floodgate/bench/environment/embedmongo"
	"floodgate/bench/environment/scratch"
	"floodgate/bench/environment/upstreamproxy"
	"floodgate/mockupstream"
	"floodgate/results"
)

// embedded runs upstream and database as child processes of this program.
type embedded struct{ *Environment }

func (e embedded) startUpstream(ctx context.Context) (*upstream, error) {
	p, err := e.spawn(ctx, upstreamName, nil, func(ctx context.Context, p *child.Process) error {
		return e.ready(ctx, p.Addr)
	})
	if err != nil {
		return nil, err
	}
	return ourUpstream(local{p}), nil
}

func (e embedded) startMongo(ctx context.Context) (*database, error) {
	var args []string
	if e.options.KeepData {
		args = []string{"-dir", filepath.Join(e.options.LogDir, "data")}
	}
	p, err := e.spawn(ctx, mongoName, args, func(ctx context.Context, p *child.Process) error {
		return e.ping(ctx, mongoURI(p.Addr))
	})
	if err != nil {
		return nil, err
	}
	return ourDatabase(local{p}, p.Version), nil
}

func (embedded) describe(d *results.Environment, _ *upstream, _ *database) { d.Kind = Embedded }

// spawn starts a child and checks it with a first request.
func (e *Environment) spawn(ctx context.Context, name string, args []string, check func(context.Context, *child.Process) error) (*child.Process, error) {
	timeout := fmt.Errorf("not ready after %s", e.options.ReadyTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, e.options.ReadyTimeout, timeout)
	defer cancel()
	p, err := child.Start(ctx, child.Options{
		Name:       name,
		Executable: e.options.Executable,
		Args:       append([]string{name + childSuffix}, args...),
		Log:        filepath.Join(e.options.LogDir, name+".log"),
		Cores:      e.options.Cores,
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

// ready makes the first request to a built-in mock upstream.
func (e *Environment) ready(ctx context.Context, a netip.AddrPort) error {
	_, err := e.stats(ctx, "http://"+a.String())
	return err
}

// ping connects to a database, pings it once and disconnects.
func (e *Environment) ping(ctx context.Context, uri string) error {
	client, err := e.connect(ctx, uri)
	if err != nil {
		return err
	}
	return client.Disconnect(ctx)
}

// Names of the children. The hidden subcommand of each has the suffix childSuffix, or
// containerSuffix for the main program of a container.
const (
	upstreamName    = "upstream"
	mongoName       = "mongo"
	proxyName       = "dbproxy"
	upstreamProxy   = "upstream-proxy"
	childSuffix     = "-child"
	containerSuffix = "-container"
)

// Children returns the hidden subcommands that a program must pass to [RunChild].
func Children() []string {
	return []string{
		mongoName + childSuffix, upstreamName + childSuffix, proxyName + childSuffix, upstreamProxy + childSuffix, reaperName + childSuffix,
		mongoName + containerSuffix, upstreamName + containerSuffix, proxyName + containerSuffix, AnchorArg,
	}
}

// RunChild is the main function of the child processes. It runs the child of that name
// until its standard input ends or it is terminated, and returns its exit code. It
// changes the signal handling of the process.
func RunChild(name string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	signal.Ignore(os.Interrupt) // the parent handles it
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c := &helper{stdin: stdin, stdout: stdout, stderr: stderr, log: newLog(stderr)}
	run := map[string]func(context.Context, []string) error{
		mongoName + childSuffix:        c.mongo,
		upstreamName + childSuffix:     c.upstream,
		proxyName + childSuffix:        c.proxy,
		upstreamProxy + childSuffix:    c.upstreamProxy,
		reaperName + childSuffix:       c.reap,
		mongoName + containerSuffix:    c.mongoContainer,
		upstreamName + containerSuffix: c.upstreamContainer,
		proxyName + containerSuffix:    c.proxyContainer,
		AnchorArg:                      c.anchor,
	}[name]
	if run == nil {
		fmt.Fprintf(stderr, "unknown child %q (want one of %q)\n", name, slices.Sorted(slices.Values(Children())))
		return 2
	}
	err := run(ctx, args)
	if c.exitTimer != nil {
		c.exitTimer.Stop()
	}
	if err != nil {
		c.log.Error(name+" failed", "error", err)
		return 1
	}
	return 0
}

func newLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// helper is the state of a child process.
type helper struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *slog.Logger
	exitTimer      *time.Timer // ends a process that hangs in its cleaning up; nil before
}

// exitDelay bounds the cleanup of a child that was told to exit.
const exitDelay = stopGrace - time.Second

// serve answers the parent until it orders the end. From then on, the process ends
// after exitDelay even if its cleanup hangs.
func (c *helper) serve(ctx context.Context, ready child.Ready, done <-chan struct{}, handle func([]byte) (any, error)) error {
	ended := make(chan error, 1)
	go func() { ended <- child.Serve(c.stdin, c.stdout, ready, done, handle) }()
	defer func() {
		c.exitTimer = time.AfterFunc(exitDelay, func() {
			c.log.Error("did not end in time")
			os.Exit(3)
		})
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

func (c *helper) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(c.stderr)
	return f
}

func (c *helper) upstream(ctx context.Context, args []string) error {
	if err := c.flags(upstreamName).Parse(args); err != nil {
		return err
	}
	u, err := mockupstream.New(mockupstream.Profile{}, 0)
	if err != nil {
		return err
	}
	defer u.Close()
	s, err := mockupstream.Serve(ctx, mockupstream.ServerOptions{Control: true}, u)
	if err != nil {
		return err
	}
	defer s.Close()
	address, err := listening(s.URL())
	if err != nil {
		return err
	}
	return c.serve(ctx, child.Ready{Addr: address, Version: upstreamVersion}, nil, nil)
}

func (c *helper) mongo(ctx context.Context, args []string) (err error) {
	flags := c.flags(mongoName)
	dir := flags.String("dir", "", "data folder, which is kept; empty means a temporary one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if _, err := scratch.Sweep("", DataPrefix); err != nil {
		c.log.Warn("could not remove old temporary folders", "error", err)
	}
	if *dir == "" {
		folder, err := scratch.New("", DataPrefix)
		if err != nil {
			return err
		}
		defer func() {
			if err := folder.Remove(); err != nil {
				c.log.Warn("could not remove the data folder", "error", err)
			}
		}()
		*dir = folder.Path()
	}
	s, err := embedmongo.Serve(ctx, embedmongo.Options{Dir: *dir, Logger: c.log})
	if err != nil {
		return err
	}
	defer s.Close()
	return c.serve(ctx, child.Ready{Addr: s.Addr(), Version: embedmongo.Version()}, s.Done(), nil)
}

// proxyRequest is a request to the proxy; nil fields change nothing.
type proxyRequest struct {
	Target *dbproxy.Target `json:"target,omitempty"`
	Link   *dbproxy.Link   `json:"link,omitempty"`
}

// upstreamProxyRequest is a request to the proxy in front of an external upstream. The
// first one has a configuration.
type upstreamProxyRequest struct {
	Config *upstreamproxy.Config `json:"config,omitempty"`
	Reset  bool                  `json:"reset,omitempty"`
	Stats  bool                  `json:"stats,omitempty"`
}

// upstreamProxy serves a proxy in front of an external upstream. Its URL is the answer
// to its configuration, which holds credentials and therefore is not an argument.
func (c *helper) upstreamProxy(ctx context.Context, args []string) error {
	if err := c.flags(upstreamProxy).Parse(args); err != nil {
		return err
	}
	var p *upstreamproxy.Proxy
	defer func() {
		if p != nil {
			_ = p.Close() // the parent sees the error of a proxy that stopped listening in its requests
		}
	}()
	return c.serve(ctx, child.Ready{Version: "floodgate upstream proxy"}, nil, func(line []byte) (_ any, err error) {
		var r upstreamProxyRequest
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		switch {
		case p == nil && r.Config != nil:
			if p, err = upstreamproxy.Serve(ctx, *r.Config); err != nil {
				return nil, err
			}
			return p.URL(), nil
		case p == nil || r.Config != nil:
			return nil, errors.New("the first request, and no other one, must configure the proxy")
		case r.Reset:
			p.Reset()
		case r.Stats:
			return p.Stats(ctx), nil
		}
		return nil, nil
	})
}

func (c *helper) proxy(ctx context.Context, args []string) error {
	if err := c.flags(proxyName).Parse(args); err != nil {
		return err
	}
	return c.serveProxy(ctx, "127.0.0.1:0", false)
}

// serveProxy serves the database proxy on an address. remote means that the parent is not on
// this machine.
func (c *helper) serveProxy(ctx context.Context, addr string, remote bool) error {
	p, err := dbproxy.Serve(ctx, addr, dbproxy.Target{})
	if err != nil {
		return err
	}
	defer p.Close()
	if remote {
		if child.Greeted(c.stdin) != nil {
			return nil // the parent ended first
		}
	}
	return c.serve(ctx, child.Ready{Addr: p.Addr(), Version: "floodgate database proxy"}, nil, func(line []byte) (any, error) {
		var r proxyRequest
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		if r.Target != nil {
			if err := errors.Join(p.SetTarget(*r.Target), p.Check(ctx)); err != nil {
				return nil, err
			}
		}
		if r.Link != nil {
			p.SetLink(*r.Link)
		}
		return nil, nil
	})
}
