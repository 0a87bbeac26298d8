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
package generator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/environment/child"
	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/results"
)

// ChildArg is the hidden subcommand that a program must pass to [Main].
const ChildArg = "load-child"

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

// Report is what the caller knows of a generator's clock.
type Report struct {
	// Late is the time by which the generator began after the common instant.
	Late time.Duration
	// Clock is zero for the generator in the calling process.
	sut.Clock
}

// Group is the generators of one attack. [Start] makes it.
type Group struct {
	remotes []*remote     // from the second generator on
	late    time.Duration // of the first generator
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
	g := &Group{remotes: make([]*remote, generators-1)}
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("not ready after %v", readyWithin))
	defer cancel()
	err := g.each(func(i int) error {
		name := results.GeneratorName(i, generators)
		p, err := child.Start(ctx, child.Options{Name: name, Executable: executable, Args: []string{ChildArg}})
		if err == nil {
			g.remotes[i-1] = &remote{name: name, process: p, wall: sut.NewWall(), answer: answerWithin}
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

// each calls a function for the index of each generator but the first, all at once, and
// returns the first error.
func (g *Group) each(do func(i int) error) error {
	var group sync.WaitGroup
	errs := make([]error, len(g.remotes))
	for i := range g.remotes {
		group.Go(func() { errs[i] = do(i + 1) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Prepare tells each generator but the first its specification, from which it makes its
// requests. With keep, the generators also send vegeta's results.
func (g *Group) Prepare(keep bool, spec func(generator int) any) error {
	return g.each(func(i int) error {
		r := g.remotes[i-1]
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
// ended. local sends that of the first generator, from an instant, until its context ends.
// The error is that of ctx or of local, or a [FailedError] of the first other generator
// that failed, which ends the attack of all.
func (g *Group) Attack(ctx context.Context, local func(ctx context.Context, start time.Time) error, events func(generator int) Events) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now().Add(g.lead())
	var group sync.WaitGroup
	for i, r := range g.remotes {
		group.Go(func() {
			if err := r.attack(ctx, start, events(i+1)); err != nil {
				cancel(&FailedError{err})
			}
		})
	}
	g.late = max(0, time.Since(start))
	if err := local(ctx, start); err != nil {
		cancel(err)
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
	all := []Report{{Late: g.late}}
	for _, r := range g.remotes {
		all = append(all, r.Report)
	}
	return all
}

// Stop ends the processes, whatever they do.
func (g *Group) Stop() {
	_ = g.each(func(i int) error {
		if r := g.remotes[i-1]; r != nil {
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
	if errors.Is(err, syscall.EPIPE) { // it is about to end
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
