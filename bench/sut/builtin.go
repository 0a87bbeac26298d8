package sut

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"floodgate/bench/environment/target"
	"floodgate/bench/internal/throttle"
	"floodgate/results"
	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/pipeline/dialcount"
	"floodgate/scenarios/pipeline/recorder"
	"floodgate/scenarios/pipeline/serial"
)

// connectTimeout bounds the first ping of the database and the closing of clients.
const connectTimeout = 10 * time.Second

// core is the pipeline of one trial with its clients and observers.
type core struct {
	spec        Spec
	strategy    pipeline.Strategy
	interpreter *serial.Interpreter
	recorder    *recorder.Recorder // nil without observation
	bound       *throttle.Bound    // nil means that fetches are not throttled
	slots       pipeline.Slots     // nil means that only the strategy bounds items
	adaptive    bool               // the number of slots is found at run time
	upstream    dialcount.Counter
	mongo       dialcount.Counter
	shared      *clients // nil if each batch or report has its own
	injected    injection
	done        atomic.Int64 // items that have ended
	early       *Early       // nil without a warm-up
	tracing     *tracing     // nil means that items are not traced
}

// clients are the clients of the upstream and the database.
type clients struct {
	fetcher *calllog.HTTPFetcher
	writer  *calllog.MongoWriter // nil means that nothing is written
}

// newCore connects the clients if they are shared, so that the first item does not
// wait for the discovery of the server, as in a program that has been running.
func newCore(spec Spec) (*core, error) {
	v := spec.Variant
	c := &core{spec: spec, strategy: v.Schedule()}
	if err := c.strategy.Validate(); err != nil {
		return nil, fmt.Errorf("variant %s: %w", v.Name, err)
	}
	switch d, _ := pipeline.Define(v.Strategy); {
	case d.NewSlots != nil:
		c.slots, c.adaptive = d.NewSlots(c.strategy), true
	case v.Scope == "shared":
		c.strategy, c.slots = pipeline.Unbounded(), pipeline.NewSlots(v.Limit)
	}
	if s := spec.Serial; s.Fetch > 0 || s.Write > 0 {
		c.interpreter = &serial.Interpreter{Fetch: time.Duration(s.Fetch), Write: time.Duration(s.Write)}
	}
	if spec.Observe {
		c.recorder = recorder.New()
		if spec.Warmup != nil {
			c.early = NewEarly(c.recorder, len(spec.Items))
		}
		if spec.Traces != nil {
			c.tracing = newTracing(*spec.Traces)
		}
	}
	policy := target.Policy{Allowed: spec.AllowTargets}
	c.upstream.Dial, c.mongo.Dial = policy.DialContext, policy.DialContext
	if r := spec.Upstream.Rate; r < 0 {
		return nil, fmt.Errorf("upstream.rate is %d", r)
	} else if r > 0 {
		c.bound = throttle.New(r)
	}
	if err := c.injected.inject(spec.Inject); err != nil {
		return nil, err
	}
	if v.Connections.Clients != "" && v.Connections.Clients != "shared" {
		return c, nil
	}
	var err error
	if c.shared, err = c.connect(); err != nil {
		return nil, err
	}
	if c.shared.writer == nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	return c, c.shared.writer.Ping(ctx)
}

func (c *core) connect() (*clients, error) {
	u, d := c.spec.Upstream, c.spec.Database
	http := calllog.HTTPOptions{
		BaseURL: u.URL, MaxConnsPerHost: u.MaxConns, MaxIdleConnsPerHost: u.MaxConns,
		FreshConnections: u.Fresh, Timeout: time.Duration(u.Timeout), Dialer: &c.upstream,
		PerRecord: d.Documents == "per-record", Request: u.Request, Records: u.Records, Secrets: u.Secrets,
	}
	mongo := calllog.MongoOptions{
		URI: d.URI, Database: d.Name, Collection: d.Collection, MaxPoolSize: d.MaxPoolSize,
		Timeout: time.Duration(d.Timeout), Dialer: &c.mongo,
	}
	if c.bound != nil {
		http.Limit = c.bound.Wait
	}
	if c.tracing != nil {
		http.Traceparent = c.tracing.traceparent
	}
	if c.interpreter != nil {
		http.BeforeRequest, http.BeforeBody = c.interpreter.Start, c.interpreter.Resume
		mongo.BeforeWrite, mongo.AfterWrite = c.interpreter.BeginWrite, c.interpreter.EndWrite
	}
	fetcher, err := calllog.NewHTTPFetcher(http)
	if err != nil || !c.spec.Writes {
		return &clients{fetcher: fetcher}, err
	}
	writer, err := calllog.NewMongoWriter(mongo)
	if err != nil {
		fetcher.Close()
		return nil, err
	}
	return &clients{fetcher: fetcher, writer: writer}, nil
}

// closeClients closes clients and waits until their connections are closed, so that
// they do not add to those of the next batch. A connection that stays open is not an
// error here, because the harness detects it.
func (c *core) closeClients(use *clients) error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	use.fetcher.Close()
	var err error
	if use.writer != nil {
		err = use.writer.Close(ctx)
	}
	_ = c.upstream.Wait(ctx)
	_ = c.mongo.Wait(ctx)
	return err
}

// close closes the shared clients.
func (c *core) close() error {
	c.injected.release()
	if c.shared == nil {
		return nil
	}
	return c.closeClients(c.shared)
}

// run processes all items batch by batch and returns the report.
func (c *core) run(ctx context.Context) (*Report, error) {
	before := allocated()
	goroutines := watchGoroutines()
	limit := func() *results.SlotLimit { return nil }
	if c.adaptive {
		limit = watchSlotLimit(c.slots)
	}
	series := func() *results.Series { return nil }
	if c.spec.Sample {
		series = c.sample()
	}
	var failed []string
	batches := max(1, c.spec.Batches)
	n := len(c.spec.Items)
	for b := range batches {
		items := make([]calllog.Item, 0, n/batches+1)
		for _, args := range c.spec.Items[b*n/batches : (b+1)*n/batches] {
			items = append(items, calllog.NewItem(args...))
		}
		f, err := c.batch(ctx, b*n/batches, items)
		if err != nil {
			goroutines()
			limit()
			series()
			return nil, err
		}
		failed = append(failed, f...)
	}
	peak, allocs := goroutines(), allocated()-before
	r := &Report{Failed: failed, Goroutines: &peak, Allocs: &allocs, SlotLimit: limit(), Series: series(), Connections: &results.Kinds{
		Upstream: c.upstream.Counts().Peak, Mongo: c.mongo.Counts().Peak,
	}}
	if c.bound != nil {
		r.Throttled = c.bound.Throttled()
	}
	if c.recorder == nil {
		return r, nil
	}
	r.Record(c.recorder.Summary())
	if c.early != nil {
		r.Early = c.early.Means()
	}
	if c.tracing != nil {
		r.Traces = c.tracing.result()
	}
	return r, nil
}

// batch runs one batch, whose first item has a number in the trial, and returns the items
// that failed.
func (c *core) batch(ctx context.Context, first int, items []calllog.Item) (failed []string, err error) {
	use := c.shared
	if use == nil {
		if use, err = c.connect(); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, c.closeClients(use)) }()
	}
	p := pipeline.Pipeline[calllog.Item, calllog.Document]{
		Fetcher: use.fetcher, Strategy: c.strategy, Slots: c.slots,
		Writer: pipeline.WriterFunc[calllog.Document](func(context.Context, []calllog.Document) error { return nil }),
	}
	if use.writer != nil {
		p.Writer = c.injected.writer(use.writer)
	}
	if c.recorder != nil {
		p.Observer = c.recorder
	}
	if c.early != nil {
		p.Observer = c.early
	}
	if c.tracing != nil {
		ctx, p.Observer = c.tracing.items(ctx, first, p.Observer)
		p.Indexed = true
	}
	err = p.Stream(ctx, slices.Values(items), func(o pipeline.Outcome[calllog.Item, calllog.Document]) {
		c.done.Add(1)
		if o.Err != nil {
			failed = append(failed, o.Item.String())
		}
	})
	var f *pipeline.Failures
	if errors.As(err, &f) { // failed items are data
		err = nil
	}
	return failed, err
}

// sampleInterval is the interval between samples of the time series.
const sampleInterval = 50 * time.Millisecond

// sample samples the items that have ended and, of an adaptive limit, its slots until the
// function that it returns is called, which returns the time series.
func (c *core) sample() func() *results.Series {
	began := time.Now()
	take := func() map[results.Column]int64 {
		values := map[results.Column]int64{results.ColumnDone: c.done.Load()}
		if c.adaptive {
			values[results.ColumnSlotLimit], values[results.ColumnSlotsInUse] = int64(c.slots.Limit()), int64(c.slots.InUse())
		}
		return values
	}
	seen := &results.Sampling{}
	seen.Only(slices.Collect(maps.Keys(take()))...)
	seen.Add(0, take())
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(sampleInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				seen.Add(time.Since(began), take())
			case <-stop:
				seen.Append(time.Since(began), take())
				return
			}
		}
	}()
	return func() *results.Series { close(stop); <-stopped; return &seen.Series }
}

// Record copies the summary of a recorder into the report.
func (r *Report) Record(s recorder.Summary) {
	r.Makespan, r.ItemsDone, r.ItemsFailed, r.Warnings = s.Makespan, &s.Done, &s.Failed, s.Warnings
	r.recorded, r.started = true, s.Started
	r.Stages = make(map[string]Stage, len(s.Histograms))
	for name, h := range s.Histograms {
		r.Stages[name] = newStage(h)
	}
	for _, f := range s.Failures {
		r.Errors = append(r.Errors, results.ErrorCount{Type: f.Type, Side: f.Side, Count: f.Count, First: f.First, Sample: f.Sample})
	}
}

// allocated returns how many objects this process has allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// watchGoroutines samples the number of goroutines every 5 ms until the function that
// it returns is called, which returns the highest number.
func watchGoroutines() func() int {
	stop, peak := make(chan struct{}), make(chan int)
	go func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		highest := runtime.NumGoroutine()
		for {
			select {
			case <-ticker.C:
				highest = max(highest, runtime.NumGoroutine())
			case <-stop:
				peak <- max(highest, runtime.NumGoroutine())
				return
			}
		}
	}()
	return func() int { close(stop); return <-peak }
}
