// Package client makes a Go program a system under test that speaks the protocol of
// package sut ("floodgate help protocol" prints it). A function that fetches and writes
// one item becomes one in three lines:
//
//	func main() {
//		client.Main(client.Each(func(s client.Spec) (client.Func, client.Close, error) {
//			return func(ctx context.Context, item []string) error { return report(ctx, s, item) }, nil, nil
//		}))
//	}
//
// The scenario names it as sut.command: [./report]. [Pipeline] does the same for a
// pipeline.Pipeline, with every strategy. Both report counts, errors and latencies.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"floodgate/bench/sut"
	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/recorder"
)

// Spec is the specification of a trial: items, upstream, database and variant.
type Spec = sut.Spec

// Func fetches and writes one item, which is given by its arguments.
type Func func(ctx context.Context, item []string) error

// Close closes a program's clients; nil means that it has none.
type Close func(context.Context) error

// Program is a SUT; see [Each] and [Pipeline].
type Program struct {
	// Name of the program in messages; empty means none.
	Name string
	// Variables are those of variants that the program reads; nil means any.
	Variables []string

	strategies []string
	run        func(Spec) (*sut.Report, func() error, error)
}

// Each returns a program that calls a function for each distinct item, as many at once
// as the variant allows, with strategies sequential, bounded and unbounded. open is
// called when a trial begins and opens the clients; nothing may be open before.
func Each(open func(Spec) (Func, Close, error)) *Program {
	p := Pipeline(func(s Spec) (pipeline.Pipeline[string, struct{}], Close, error) {
		each, end, err := open(s)
		arguments := make(map[string][]string, len(s.Items))
		for _, args := range s.Items {
			arguments[strings.Join(args, "/")] = args
		}
		return pipeline.Pipeline[string, struct{}]{
			Fetcher: pipeline.FetcherFunc[string, struct{}](func(ctx context.Context, item string) ([]struct{}, error) {
				return nil, each(ctx, arguments[item])
			}),
			Writer: pipeline.WriterFunc[struct{}](func(context.Context, []struct{}) error { return nil }),
		}, end, err
	})
	p.strategies = []string{string(pipeline.KindSequential), string(pipeline.KindBounded), string(pipeline.KindUnbounded)}
	return p
}

// Pipeline returns a program that runs a pipeline with the strategy of the variant,
// which replaces the pipeline's own. An item is its arguments, joined by "/". open is
// called when a trial begins and opens the clients; nothing may be open before.
func Pipeline[I ~string, D any](open func(Spec) (pipeline.Pipeline[I, D], Close, error)) *Program {
	return &Program{strategies: pipeline.Kinds(nil), run: func(s Spec) (*sut.Report, func() error, error) {
		p, end, err := open(s)
		if err != nil {
			return nil, nil, err
		}
		d, known := pipeline.Define(s.Variant.Strategy)
		if !known {
			return nil, nil, fmt.Errorf("unknown strategy %q", s.Variant.Strategy)
		}
		v := s.Variant
		if !d.Has(pipeline.Limit.Name) { // that of sequential is sent to other programs
			v.Limit = 0
		}
		p.Strategy = v.Schedule()
		if err := p.Strategy.Validate(); err != nil {
			return nil, nil, fmt.Errorf("variant %s: %w", v.Name, err)
		}
		if d.NewSlots != nil {
			p.Slots = d.NewSlots(p.Strategy)
		}
		seen := recorder.New()
		p.Observer = seen
		early := sut.NewEarly(seen, len(s.Items))
		if s.Warmup != nil {
			p.Observer = early
		}
		report := &sut.Report{}
		n, batches := len(s.Items), max(1, s.Batches)
		for b := range batches {
			if err := process(&p, s.Items[b*n/batches:(b+1)*n/batches], report); err != nil {
				return nil, nil, err
			}
		}
		report.Record(seen.Summary())
		if s.Warmup != nil {
			report.Early = early.Means()
		}
		return report, func() error {
			if end == nil {
				return nil
			}
			return end(context.Background())
		}, nil
	}}
}

// process runs a batch of items and adds the failed ones to the report.
func process[I ~string, D any](p *pipeline.Pipeline[I, D], items [][]string, report *sut.Report) error {
	all := func(yield func(I) bool) {
		for _, args := range items {
			if !yield(I(strings.Join(args, "/"))) {
				return
			}
		}
	}
	err := p.Stream(context.Background(), all, func(o pipeline.Outcome[I, D]) {
		if o.Err != nil {
			report.Failed = append(report.Failed, string(o.Item))
		}
	})
	var failures *pipeline.Failures
	if errors.As(err, &failures) { // failed items are data
		return nil
	}
	return err
}

// Serve runs one trial on standard input and output.
func (p *Program) Serve(stdin io.Reader, stdout io.Writer) error {
	ready := sut.Message{Name: p.Name, Capabilities: sut.Capabilities{
		Strategies: p.strategies, Algorithms: p.algorithms(), Variables: p.Variables, Reports: []string{sut.ReportsItems, sut.ReportsStages},
	}}
	return sut.Serve(stdin, stdout, ready, p.run)
}

// algorithms returns the algorithms that the program knows if it knows strategy adaptive.
func (p *Program) algorithms() []string {
	if !slices.Contains(p.strategies, string(pipeline.KindAdaptive)) {
		return nil
	}
	return pipeline.AlgorithmNames()
}

// Main runs one trial on the process's standard input and output, and exits.
func Main(p *Program) {
	if err := p.Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sut:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
