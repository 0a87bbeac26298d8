package experiment

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/bench/tracing"
	"floodgate/mockupstream/rng"
	"floodgate/results"
	"floodgate/results/trace"
	"floodgate/scenarios"
)

// Tracing requests the traces of single items or requests: of the slowest 1 % and of a
// regular sample of all.
type Tracing struct {
	// Save stores the traces of a trial under a name that is unique in the run. Its error
	// fails the trial.
	Save func(name string, content []byte) error
}

// The programs whose spans are in traces.
const (
	generatorName = "floodgate.generator"
	sutName       = "floodgate.sut"
)

// traceSpec returns what traces of a trial that started at a time are named by, and how many
// are kept.
func (r *Trials) traceSpec(t ScheduledTrial, started time.Time) sut.TraceSpec {
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%s/%d", r.RunID, t.Index)
	n := len(t.itemArgs())
	if s := t.Level.Scenario; s.Service != nil {
		n = int(MeanRate(*s.Service) * time.Duration(s.Service.Duration).Seconds())
	}
	return sut.TraceSpec{Seed: rng.At(hash.Sum64(), uint64(started.UnixNano())), Sampling: trace.SamplingOf(n)}
}

// tracesOfHost returns what a host of a trial has to know. Its items are numbered from 0.
func tracesOfHost(t sut.TraceSpec, p part) *sut.TraceSpec {
	t.Seed = rng.At(t.Seed, uint64(p.host+1))
	if p.service != nil {
		t.Slowest *= 2 // those that are slow for a client are not quite those that are slow in the service
	} else {
		t.Slowest = (t.Slowest + p.hosts - 1) / p.hosts
	}
	return &t
}

// requestParent returns the header traceparent of requests, by their number.
func requestParent(t sut.TraceSpec) func(n uint64) string {
	ids := trace.NewIDs(t.Seed)
	return func(n uint64) string {
		id := ids.Trace(n)
		return trace.Parent(id, trace.SpanOf(id, trace.NumberRequest), t.Chosen(n))
	}
}

// requestTraces keeps the requests of a service that are traced.
type requestTraces struct {
	spec sut.TraceSpec
	kept *trace.Keeper[load.Ended]

	mu    sync.Mutex
	start time.Time // of several load generators
}

func newRequestTraces(spec sut.TraceSpec) *requestTraces {
	return &requestTraces{spec: spec, kept: trace.NewKeeper[load.Ended](spec.Slowest)}
}

// began notes the start of an attack by several load generators.
func (q *requestTraces) began(at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.start = at
}

// ended keeps a request if it is wanted.
func (q *requestTraces) ended(e load.Ended) {
	q.kept.Add(e.Report, q.spec.Chosen(e.Report), e.Response(), func() load.Ended { return e })
}

// saveTraces makes the traces of a trial, stores them, and adds them to the record. The error
// is that of Save.
func (r *Trials) saveTraces(t ScheduledTrial, record *results.Trial, a *attempt) error {
	if r.Tracing == nil {
		return nil
	}
	return r.store(&traceBuilder{run: r.RunID, trial: record, spec: r.traceSpec(t, record.Started), shard: t.Shard}, record, a)
}

// store makes traces with a builder that has none, and stores them.
func (r *Trials) store(b *traceBuilder, record *results.Trial, a *attempt) error {
	b.Builder = tracing.New()
	if a.service != nil {
		b.requests(a.service.traces, a.traced)
	} else {
		b.items(a.traced)
	}
	record.Traces = &results.Traces{OneIn: b.spec.OneIn, Slow: b.slow}
	var content bytes.Buffer
	for _, one := range b.Traces() {
		if err := trace.Encode(&content, one); err != nil {
			return err
		}
		record.Traces.Kept++
	}
	if record.Traces.Kept == 0 {
		record.Traces.Error = "the trial ended before any trace was complete"
		return nil
	}
	record.Traces.File = results.TraceFile(record.Index)
	if err := r.Tracing.Save(record.Traces.File, content.Bytes()); err != nil {
		record.Traces.File, record.Traces.Error = "", "the traces could not be stored"
		return fmt.Errorf("store traces: %w", err)
	}
	return nil
}

// traceBuilder makes the traces of a trial.
type traceBuilder struct {
	*tracing.Builder
	run   string
	trial *results.Trial
	spec  sut.TraceSpec
	shard scenarios.Shard
	slow  int // traces that are among the slowest
}

// root returns the attributes of a root.
func (b *traceBuilder) root(key string, number uint64, slow bool) []trace.Attribute {
	if slow {
		b.slow++
	}
	all := []trace.Attribute{
		{Key: key, Value: int64(number)}, {Key: trace.KeyRun, Value: b.run}, {Key: trace.KeyTrial, Value: int64(b.trial.Index)},
		{Key: trace.KeyVariant, Value: b.trial.Variant}, {Key: trace.KeySlow, Value: slow},
	}
	if b.trial.LevelName != "" {
		all = append(all, trace.Attribute{Key: trace.KeyLevel, Value: b.trial.LevelName})
	}
	return all
}

// items makes a trace for each item of the hosts.
func (b *traceBuilder) items(hosts [][]sut.Traced) {
	for host, all := range hosts {
		ids := trace.NewIDs(tracesOfHost(b.spec, part{host: b.hostOf(host), hosts: len(hosts)}).Seed)
		for _, t := range all {
			times := t.Items[0]
			item := b.Trace(ids.Trace(t.Number), itemSpan(times, 0, b.root(trace.KeyItem, t.Number, t.Slow)))
			addStages(item, times, 0)
		}
	}
}

// hostOf returns the index of a host of the trial; a shard is one of several.
func (b *traceBuilder) hostOf(i int) int {
	if b.shard.Of > 0 {
		return b.shard.Host()
	}
	return i
}

// itemSpan returns the span of an item at a position in its trace.
func itemSpan(i sut.ItemTimes, at int, attributes []trace.Attribute) tracing.Span {
	return tracing.Span{
		Number: trace.NumberOf(at, trace.StageItem), Service: sutName, Name: trace.Item,
		Start: i.Start - int64(i.Queue), End: i.Start + int64(i.Work()), Attributes: attributes, Error: i.Error,
	}
}

// addStages adds the stages of an item that it reached.
func addStages(item *tracing.Parent, i sut.ItemTimes, at int) {
	failed := func(write bool) string {
		if i.Wrote == write {
			return i.Error
		}
		return ""
	}
	from := i.Start - int64(i.Queue)
	for _, s := range []struct {
		stage int
		name  string
		kind  trace.Kind
		took  time.Duration
		took0 bool // it is shown even if it took no time
		err   string
	}{
		{trace.StageQueue, trace.Queue, trace.Internal, i.Queue, true, ""},
		{trace.StageFetch, trace.Fetch, trace.Client, i.Fetch, true, failed(false)},
		{trace.StageHandoff, trace.Handoff, trace.Internal, i.Handoff, false, ""},
		{trace.StagePoolWait, trace.PoolWait, trace.Internal, i.PoolWait, i.Wrote, ""},
		{trace.StageWrite, trace.Write, trace.Client, i.Write, i.Wrote, failed(true)},
	} {
		to := from + int64(s.took)
		if s.took > 0 || s.took0 {
			item.Add(tracing.Span{Number: trace.NumberOf(at, s.stage), Name: s.name, Kind: s.kind, Start: from, End: to, Error: s.err})
		}
		from = to
	}
}

// requests makes a trace for each request that is kept, with the report of the built-in
// service, if it kept that as well.
func (b *traceBuilder) requests(q *requestTraces, hosts [][]sut.Traced) {
	if q == nil {
		return
	}
	reports := map[trace.ID]sut.Traced{}
	for _, all := range hosts {
		for _, t := range all {
			if id, _, _, ok := tracing.ParseParent(t.Parent); ok {
				reports[id] = t
			}
		}
	}
	ids := trace.NewIDs(b.spec.Seed)
	for _, k := range q.kept.Kept() {
		id := ids.Trace(k.Number)
		request := b.request(id, q, k)
		t, ok := reports[id]
		if !ok {
			continue
		}
		report := request.Add(tracing.Span{
			Number: trace.NumberReport, Service: sutName, Name: trace.Report, Kind: trace.Server, Start: t.Start, End: t.End, Error: t.Error,
		})
		for _, i := range t.Items {
			item := report.Add(itemSpan(i, i.Index, []trace.Attribute{{Key: trace.KeyItem, Value: int64(i.Index)}}))
			addStages(item, i, i.Index)
		}
	}
}

// request makes the spans of the load generator.
func (b *traceBuilder) request(id trace.ID, q *requestTraces, k trace.Kept[load.Ended]) *tracing.Parent {
	e := k.Value
	start := e.Start
	if start.IsZero() {
		start = q.start
	}
	at := func(d time.Duration) int64 { return start.Add(d).UnixNano() }
	attributes := b.root(trace.KeyRequest, k.Number, k.Slow)
	if e.Code > 0 {
		attributes = append(attributes, trace.Attribute{Key: trace.KeyStatus, Value: int64(e.Code)})
	}
	request := b.Trace(id, tracing.Span{
		Number: trace.NumberRequest, Service: generatorName, Name: trace.Request, Kind: trace.Client,
		Start: at(e.Intended), End: at(e.At), Attributes: attributes, Error: e.Error,
	})
	add := func(number uint64, name string, from, to time.Duration) {
		request.Add(tracing.Span{Number: number, Name: name, Start: at(from), End: at(to)})
	}
	add(trace.NumberLate, trace.Late, e.Intended, e.Begun)
	connected, first := e.Connected, e.FirstByte
	if connected == 0 {
		connected = e.At
	}
	if first == 0 {
		first = e.At
	}
	add(trace.NumberConnect, trace.Connect, e.Begun, connected)
	if e.Connected > 0 {
		add(trace.NumberFirstByte, trace.FirstByte, connected, first)
	}
	if e.FirstByte > 0 {
		add(trace.NumberBody, trace.Body, first, e.At)
	}
	return request
}
