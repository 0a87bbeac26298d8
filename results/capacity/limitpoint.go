package capacity

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// limitLevel is the confidence of a point's intervals.
const limitLevel = 0.95

// MaxLittleDeviation is the share by which throughput × mean time may deviate from
// the limit without being flagged (see [LimitPoint.InFlight]).
const MaxLittleDeviation = 0.05

// NewLimitPoint summarizes the trials of a limit of the strategy, which is empty if another
// variable is varied. Trials that were not measured count as lost.
func NewLimitPoint(limit int, strategy pipeline.Kind, trials []results.Trial) (LimitPoint, error) {
	p := LimitPoint{Limit: limit}
	ok := make([]results.Trial, 0, len(trials))
	for _, t := range trials {
		p.Variant, p.Items = t.Variant, t.Items
		if why := unusable(t); why != "" {
			p.Lost++
			p.lose(why)
			continue
		}
		ok = append(ok, t)
	}
	slices.SortFunc(ok, func(a, b results.Trial) int { return cmp.Compare(a.Block, b.Block) })
	var others []float64
	for _, t := range ok {
		p.Hosts = len(t.Hosts)
		p.add(t, strategy)
		if t.Machine != nil && t.Machine.Others != nil {
			others = append(others, *t.Machine.Others)
		}
	}
	if len(others) > 0 {
		p.Others = stats.Median(others)
	}
	if len(ok) == 0 {
		return p, nil
	}
	p.InFlight /= float64(len(ok))
	p.CPU /= float64(len(ok))
	p.Offered /= float64(len(ok))
	if holdsSlot(strategy) && p.Counted == "" && p.Offered == 0 {
		p.LittleDeviation = new((p.InFlight - float64(p.atOnce())) / float64(p.atOnce()))
	}
	p.Throughput = interval(p.Runs, func(r LimitRun) float64 { return r.Throughput })
	if p.Counted == "" {
		p.P99 = interval(p.Runs, func(r LimitRun) float64 { return float64(r.P99) })
	}
	var err error
	if p.Stages, err = merged(ok); err != nil {
		return p, fmt.Errorf("limit %d: %w", limit, err)
	}
	return p, nil
}

// atOnce returns the limit of all hosts together.
func (p LimitPoint) atOnce() int { return p.Limit * max(p.Hosts, 1) }

// holdsSlot reports whether an item of the strategy holds its slot until it is
// written, so that the limit bounds the items in flight.
func holdsSlot(strategy pipeline.Kind) bool {
	d, _ := pipeline.Define(strategy)
	return d.Writing == pipeline.WritesInSlot
}

// unusable returns the reason why a trial has no throughput.
func unusable(t results.Trial) string {
	if t.Service != nil {
		return unusableService(t)
	}
	switch n, known, _ := itemsDone(t); {
	case t.Outcome != results.OutcomeOK:
		return t.Outcome + ": " + t.Reason
	case t.Makespan <= 0 || !known:
		return "the SUT did not report its items, and they could not be counted from outside"
	case n == 0:
		return "no item was done"
	case t.Documents != nil && t.Documents.Lost > 0:
		return "" // the limit loses documents: its throughput counts, and it is not recommended
	}
	return t.Doubt()
}

// itemsDone returns how many items a trial completed, and what was counted in place of
// the program's latencies; empty means that it reports them.
func itemsDone(t results.Trial) (n int, known bool, counted string) {
	d, u := t.Documents, t.Upstream
	switch {
	case t.ItemsDone != nil && t.Stages["item"].Count > 0:
		return *t.ItemsDone, true, ""
	case t.ItemsDone != nil:
		return *t.ItemsDone, true, "items"
	case d != nil && d.Expected > 0:
		return t.Items * (d.Expected - d.Lost - d.Unwritten) / d.Expected, true, "documents"
	case u != nil && u.Requests > 0:
		return min(t.Items, u.Requests-u.Repeated), true, "requests"
	}
	return 0, false, ""
}

// fewWhy bounds the number of different reasons that are kept.
const fewWhy = 3

func (p *LimitPoint) lose(why string) {
	if len(p.Why) < fewWhy && !slices.Contains(p.Why, why) {
		p.Why = append(p.Why, why)
	}
}

// rateOf returns the number of items per second, including failed ones. For a
// strategy that holds slots, it covers the time in which all slots were in use,
// until the last item began: all items except those in the other slots had ended by
// then. Otherwise the end, when slots become empty, would count as slowness. Work
// done on the items in the other slots does not count, so the rate is slightly low.
// For other strategies it covers the whole makespan.
func rateOf(t results.Trial, limit int, strategy pipeline.Kind) float64 {
	items, busy := t.Stages["item"].Count, t.Stages["queue"].Max
	if holdsSlot(strategy) && busy > 0 && items > int64(limit) {
		return float64(items-int64(limit)) / busy.Seconds()
	}
	return float64(items) / t.Makespan.Seconds()
}

// doneRate returns the number of successful items per second. If more than a few
// failed, it covers the whole makespan, because failures are not spread evenly among
// the successful items.
func doneRate(t results.Trial, rate float64) float64 {
	done, all := float64(*t.ItemsDone), float64(t.Stages["item"].Count)
	if all-done > float64(scenarios.DefaultSLOErrors)*all {
		return done / t.Makespan.Seconds()
	}
	return rate * done / all
}

func (p *LimitPoint) add(t results.Trial, strategy pipeline.Kind) {
	if t.Service != nil {
		p.addService(t)
		return
	}
	done, _, counted := itemsDone(t)
	if run := (LimitRun{Trial: t.Index, Block: t.Block}); counted == "" {
		item, rate := t.Stages["item"], rateOf(t, p.atOnce(), strategy)
		run.Throughput, run.P99 = doneRate(t, rate), item.P99
		p.Runs, p.InFlight = append(p.Runs, run), p.InFlight+rate*item.Mean.Seconds()
	} else {
		run.Throughput = float64(done) / t.Makespan.Seconds()
		p.Runs, p.Counted = append(p.Runs, run), counted
	}
	p.CPU += (t.Resources.UserCPU + t.Resources.SystemCPU).Seconds() / t.Makespan.Seconds()
	p.open(t.Descriptors)
	p.Tried += done
	switch {
	case t.ItemsDone == nil:
		p.Tried += t.Items - done
		p.Failed += t.Items - done
	case t.ItemsFailed != nil:
		p.Tried += *t.ItemsFailed
		p.Failed += *t.ItemsFailed
	}
	for _, e := range t.Errors {
		p.count(e.Side+" "+e.Type, e.Count)
	}
	if t.Documents != nil {
		p.Corrupt += t.Documents.Violations()
	}
}

// open adds the descriptors of a trial.
func (p *LimitPoint) open(d results.Descriptors) {
	p.Baseline = max(p.Baseline, d.Baseline)
	if peak, seen := d.Highest(); seen && (p.Peak == nil || peak > *p.Peak) {
		p.Peak = &peak
	}
	if k := cmp.Or(d.Inside, d.Outside); k != nil {
		if p.Kinds == nil {
			p.Kinds = &results.Kinds{}
		}
		p.Kinds.Upstream, p.Kinds.Mongo, p.Kinds.Other = max(p.Kinds.Upstream, k.Upstream), max(p.Kinds.Mongo, k.Mongo), max(p.Kinds.Other, k.Others())
	}
}

// count adds errors.
func (p *LimitPoint) count(name string, n int) {
	if p.Errors == nil {
		p.Errors = map[string]int{}
	}
	p.Errors[name] += n
}

// SetBusy sets how busy the machine was in each trial, by the trial's index.
func (p *LimitPoint) SetBusy(of map[int]float64) {
	var all []float64
	for i, run := range p.Runs {
		p.Runs[i].Busy = of[run.Trial]
		if busy := of[run.Trial]; busy > 0 {
			all = append(all, busy)
		}
	}
	if len(all) > 0 {
		p.Busy = stats.Median(all)
	}
}

// ErrorShare returns the share of the items that failed.
func (p LimitPoint) ErrorShare() float64 {
	if p.Tried == 0 {
		return 0
	}
	return float64(p.Failed) / float64(p.Tried)
}

// Idle reports whether throughput × mean time deviates from the limit: slots were
// empty between items, there were too few items, or a time is wrong.
func (p LimitPoint) Idle() bool {
	return p.LittleDeviation != nil && math.Abs(*p.LittleDeviation) > MaxLittleDeviation
}

// interval returns the interval of the center of positive values, on a logarithmic
// scale, or nil if there are too few.
func interval(runs []LimitRun, of func(LimitRun) float64) *stats.Interval {
	logs := make([]float64, len(runs))
	for i, r := range runs {
		logs[i] = math.Log(of(r))
	}
	i, err := stats.SignedRank(logs, limitLevel)
	if err != nil {
		return nil
	}
	return new(i.Exp())
}

// merged merges the histograms of each stage; nil means that there are none.
func merged(trials []results.Trial) (map[string]results.Histogram, error) {
	sums := map[string]*hdrhistogram.Histogram{}
	for _, t := range trials {
		for name, stage := range t.Stages {
			h, err := stage.HDR()
			if err != nil {
				return nil, fmt.Errorf("trial %d, stage %s: %w", t.Index, name, err)
			}
			if sums[name] == nil {
				sums[name] = h
			} else if lost := sums[name].Merge(h); lost > 0 {
				return nil, fmt.Errorf("trial %d, stage %s: %d values do not fit the other trials' histogram", t.Index, name, lost)
			}
		}
	}
	if len(sums) == 0 {
		return nil, nil
	}
	all := make(map[string]results.Histogram, len(sums))
	for name, h := range sums {
		var err error
		if all[name], err = results.NewHistogram(h); err != nil {
			return nil, fmt.Errorf("stage %s: %w", name, err)
		}
	}
	return all, nil
}
