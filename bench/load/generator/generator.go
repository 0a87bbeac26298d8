// Package generator sends the load of one schedule from several processes, where one
// cannot keep up:
//
//	g, err := generator.Start(ctx, executable, 3)
//	defer g.Stop()
//	err = g.Prepare(func(i int) any { return spec{URL: url, Share: load.Share{Index: i, Of: 3}} })
//	err = g.Attack(ctx, local, events)                 // ends when the last request has
//	fmt.Println(g.Reports()[2].Uncertainty)            // 40µs: the error of the third one's clock
//
// Request k of the schedule belongs to generator k mod 3. Generator 0 is the calling
// process. The others run this program again: their main function calls [Main], which
// makes the requests from the specification. All begin at one instant of their own clocks,
// whose offsets were measured before, so that the lag of every request counts from the
// time that the one schedule says.
//
// The processes send every request's times to the caller a moment later. It records them
// like its own, so that nothing is lost by merging. They end with the caller, however it
// ends. The end of one ends the attack with an error that names it.
//
// [Launch] starts all generators elsewhere than on this machine, such as in the pods of a
// cluster, whose main function calls [PodMain]. The calling process then sends nothing.
package generator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/environment/child"
	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/results"
)

// ChildArg is the hidden subcommand that a program must pass to [Main], and PodArg the one
// for [PodMain].
const (
	ChildArg = "load-child"
	PodArg   = "load-container"
)

const (
	readyWithin  = 30 * time.Second // from the start of a process until it is ready
	answerWithin = 10 * time.Second // from a message until its answer
	stopGrace    = 2 * time.Second  // from the order to exit until it is killed
)

// Events receives what a generator did. Each function is called by one goroutine at a
// time, but those of several generators are called at once. Nil functions are not called.
type Events struct {
	Due   func(load.Due)
	Ended func(load.Ended)
	Keep  func(*vegeta.Result)
}

// Report is what the caller knows of a generator's clock, and where it ran.
type Report struct {
	// Late is the time by which the generator began after the common instant.
	Late time.Duration
	// Clock is zero for the generator in the calling process.
	sut.Clock
	// Container is the pod of a launched generator; nil means a process of this machine.
	Container *results.Container
}

// Launcher starts load generators elsewhere than on this machine, such as in the pods of a
// cluster.
type Launcher interface {
	// LaunchGenerator starts a generator of a trial, which runs our own binary with args, and
	// connects to it. Those of one trial are launched at once. An error that wraps a
	// [sut.LostError] says nothing about the trial.
	LaunchGenerator(ctx context.Context, h sut.Host, args []string) (Launched, error)
}

// Launched is a load generator that runs elsewhere.
type Launched interface {
	child.Connection
	// Describe returns where it runs, for the record.
	Describe() results.Container
}

// Group is the generators of one attack. [Start] and [Launch] make it.
type Group struct {
	remotes []*remote     // those that are not the calling process
	first   int           // the index of the first of them: 0, or 1 after the calling process
	late    time.Duration // of the calling process
}

// remote is a generator in a process of its own.
type remote struct {
	name    string
	process *child.Process
	wall    sut.Wall
	answer  time.Duration // answerWithin
	Report
}

// Start starts all generators but the first, and measures their clocks. The executable is
// a program that calls [Main] for the argument [ChildArg].
func Start(ctx context.Context, executable string, generators int) (*Group, error) {
	return start(1, generators, func(i int, name string) (*child.Process, *results.Container, error) {
		ctx, cancel := bounded(ctx)
		defer cancel()
		p, err := child.Start(ctx, child.Options{Name: name, Executable: executable, Args: []string{ChildArg}})
		return p, nil, err
	})
}

// Launch launches all generators of a trial, whose hosts of the SUT h describes, and
// measures their clocks.
func Launch(ctx context.Context, l Launcher, h sut.Host, generators int) (*Group, error) {
	return start(0, generators, func(i int, name string) (*child.Process, *results.Container, error) {
		host := h
		host.Index, host.Hosts = i, generators
		c, err := l.LaunchGenerator(ctx, host, []string{PodArg})
		if err != nil {
			return nil, nil, fmt.Errorf("start %s: %w", name, err)
		}
		ctx, cancel := bounded(ctx)
		defer cancel()
		p, err := child.Connect(ctx, name, "", c)
		return p, new(c.Describe()), err
	})
}

// bounded returns a context in which a process must be ready.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("not ready after %v", readyWithin))
}

// start starts the generators from the index first on, all at once.
func start(first, generators int, begin func(i int, name string) (*child.Process, *results.Container, error)) (*Group, error) {
	g := &Group{remotes: make([]*remote, generators-first), first: first}
	err := g.each(func(i int) error {
		name := results.GeneratorName(i, generators)
		p, where, err := begin(i, name)
		if err == nil {
			g.remotes[i-first] = &remote{name: name, process: p, wall: sut.NewWall(), answer: answerWithin, Report: Report{Container: where}}
		}
		return err
	})
	for _, r := range g.remotes {
		if err == nil { // one after another, as they share the machine
			err = r.measureClock()
		}
	}
	if err != nil {
		g.Stop()
		return nil, err
	}
	return g, nil
}

// each calls a function for the index of each generator that is not the calling process,
// all at once, and returns the first error.
func (g *Group) each(do func(i int) error) error {
	var group sync.WaitGroup
	errs := make([]error, len(g.remotes))
	for i := range g.remotes {
		group.Go(func() { errs[i] = do(i + g.first) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Prepare tells each generator that is not the calling process its specification, from
// which it makes its requests. With keep, the generators also send vegeta's results.
func (g *Group) Prepare(keep bool, spec func(generator int) any) error {
	return g.each(func(i int) error {
		r := g.remotes[i-g.first]
		text, err := json.Marshal(spec(i))
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		return r.ask(request{Prepare: &preparation{Keep: keep, Spec: text}}, nil)
	})
}

// FailedError reports that a generator failed, so that its part of the load was not sent.
type FailedError struct {
	// Err names the generator and says how it failed.
	Err error
}

func (e *FailedError) Error() string { return e.Err.Error() }

func (e *FailedError) Unwrap() error { return e.Err }

// Attack sends the load from all generators at once, and waits until each request has
// ended. local sends that of the calling process, from an instant, until its context ends;
// it is not called after [Launch]. The error is that of ctx or of local, or a [FailedError]
// of the first other generator that failed, which ends the attack of all.
func (g *Group) Attack(ctx context.Context, local func(ctx context.Context, start time.Time) error, events func(generator int) Events) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now().Add(g.lead())
	var group sync.WaitGroup
	for i, r := range g.remotes {
		group.Go(func() {
			if err := r.attack(ctx, start, events(i+g.first)); err != nil {
				cancel(&FailedError{err})
			}
		})
	}
	if g.first > 0 {
		g.late = max(0, time.Since(start))
		if err := local(ctx, start); err != nil {
			cancel(err)
		}
	}
	group.Wait()
	return context.Cause(ctx)
}

// lead returns how long before their start the generators are told.
func (g *Group) lead() time.Duration {
	var clocks []sut.Clock
	for _, r := range g.remotes {
		clocks = append(clocks, r.Clock)
	}
	return sut.Lead(clocks)
}

// Reports returns those of all generators, after Attack.
func (g *Group) Reports() []Report {
	var all []Report
	if g.first > 0 {
		all = append(all, Report{Late: g.late})
	}
	for _, r := range g.remotes {
		all = append(all, r.Report)
	}
	return all
}

// Stop ends the processes, whatever they do.
func (g *Group) Stop() {
	_ = g.each(func(i int) error {
		if r := g.remotes[i-g.first]; r != nil {
			_ = r.process.Stop(stopGrace) // one that had died was reported by Attack
		}
		return nil
	})
}

// errSilent is the cause of the end of a call to a process that does not answer.
var errSilent = errors.New("no answer")

// ask sends a request to the process and decodes its answer.
func (r *remote) ask(q request, answer any) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), r.answer, errSilent) // an interrupted attack is collected, too
	defer cancel()
	err := r.process.Ask(ctx, q, answer)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) { // it is about to end
		select {
		case <-r.process.Done():
			err = r.process.Err()
		case <-ctx.Done():
		}
	}
	var death *child.Death
	switch {
	case errors.As(err, &death):
		return death
	case errors.Is(err, errSilent):
		return fmt.Errorf("%s has not answered for %v", r.name, r.answer)
	}
	return err
}

// measureClock measures the clock of the process.
func (r *remote) measureClock() (err error) {
	r.Clock, err = r.wall.Measure(func() (answered int64, received time.Time, err error) {
		err = r.ask(request{Clock: true}, &answered)
		return answered, time.Now(), err
	})
	return err
}

// attack has the process send its part of the load, and passes on what it reports.
func (r *remote) attack(ctx context.Context, start time.Time, to Events) error {
	if err := r.ask(request{StartAt: r.wall.At(start) + int64(r.Offset)}, &r.Late); err != nil {
		return err
	}
	for {
		var b batch
		err := r.ask(request{More: true, Stop: ctx.Err() != nil}, &b)
		if err == nil {
			err = b.each(to, r.Offset)
		}
		switch {
		case err != nil:
			return err
		case b.Error != "":
			return fmt.Errorf("%s: %s", r.name, b.Error)
		case b.Over:
			return nil
		}
	}
}
