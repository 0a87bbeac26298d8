// Package experiment turns a scenario into a stored run:
//
//	plan, err := experiment.Schedule(scenario) // blocks of trials in random order
//	…
//	trials := experiment.NewTrials(env, executable, runID)
//	r := &experiment.Runner{Tester: trials, Append: store.Append, Retries: 4, MaxFailures: 5}
//	err = r.Run(ctx, plan, nil) // err is nil, and the store has a record of each trial
//
// [Trials] runs each trial, one variant at one level, in a fresh SUT process. [Runner]
// decides which trials are repeated, stores each as it ends, and gives up when
// measuring is pointless.
package experiment

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"floodgate/bench/sut"
	"floodgate/mockupstream"
	"floodgate/mockupstream/rng"
	"floodgate/results"
	"floodgate/scenarios"
)

// ScheduledTrial is a trial before it runs.
type ScheduledTrial struct {
	// Index is the position in the plan, from 0.
	Index   int
	Block   int
	Variant scenarios.Variant
	Level   scenarios.Level
	// Seed of the upstream's draws, one per block: the variants of a block do the same
	// work, and blocks differ from each other.
	Seed uint64
	// Ideal is the makespan if only the injected latencies took time; zero means
	// that it is unknown.
	Ideal time.Duration
	// Estimate is the expected duration of the whole trial, with the start of its
	// process, checks and cleanup.
	Estimate time.Duration
	// Shard is the only host that runs, of those that the level has; the zero value means
	// that all of them run. Variant has the limit of this host then.
	Shard scenarios.Shard
	// Inject holds the faults that the built-in SUT injects for a gate's self-test.
	Inject sut.Faults
}

// Schedule returns the trials of a scenario in the order in which they run: block by
// block, and in each block every variant at every level at which it runs, in random
// order. It is a pure function of the scenario.
func Schedule(s *scenarios.Scenario) ([]ScheduledTrial, error) {
	return schedule(s, scenarios.Shard{})
}

// ScheduleShard returns the trials of a scenario on several hosts as one of them runs
// them: the same trials in the same order, each with the items and the limit of this host.
func ScheduleShard(s *scenarios.Scenario, shard scenarios.Shard) ([]ScheduledTrial, error) {
	return schedule(s, shard)
}

func schedule(s *scenarios.Scenario, shard scenarios.Shard) ([]ScheduledTrial, error) {
	levels, err := s.ExpandLevels()
	if err != nil {
		return nil, err
	}
	var plan []ScheduledTrial
	for block := range s.Blocks {
		seed := rng.At(s.Seed, uint64(block+1))
		start := len(plan)
		for _, level := range levels {
			var delays [][][]time.Duration // by host and batch
			for _, share := range sharesOf(level.Scenario, shard) {
				delays = append(delays, injected(level.Scenario.Upstream, seed, itemBatches(share, level.Scenario.Items.Batches)))
			}
			for _, v := range s.Variants {
				if !v.RunsAt(level) {
					continue
				}
				if shard.Of > 0 {
					v = v.OnHost(shard.Host(), shard.Of)
					v.LimitScope = ""
				}
				t := planTrial(v, level, block, seed, delays)
				t.Shard = shard
				plan = append(plan, t)
			}
		}
		order := rand.New(rand.NewPCG(seed, uint64(block)))
		order.Shuffle(len(plan)-start, func(i, j int) {
			plan[start+i], plan[start+j] = plan[start+j], plan[start+i]
		})
	}
	for i := range plan {
		plan[i].Index = i
	}
	return plan, nil
}

// Costs of a trial in the embedded environment, measured on two cores. They only
// serve the first estimate of the remaining time, which is corrected as trials end.
const (
	trialOverhead = 250 * time.Millisecond // process, preparation, checks
	itemOverhead  = 400 * time.Microsecond // connection, CPU and check of an item
	writeCost     = time.Millisecond       // one write if writes do not overlap

	serviceOverhead = 500 * time.Millisecond // reports in flight at the end of the load
	hostOverhead    = 50 * time.Millisecond  // a further process, and its part of the start of all
)

// planTrial plans a trial, whose delays are given by host and batch. Its ideal makespan is
// that of the slowest host.
func planTrial(v scenarios.Variant, level scenarios.Level, block int, seed uint64, delays [][][]time.Duration) ScheduledTrial {
	s := level.Scenario
	write := time.Duration(s.Database.Latency)
	if s.Database.Documents == scenarios.DocumentsNone {
		write = 0
	}
	var ideal time.Duration
	items := 0
	for host, batches := range delays {
		ideal = max(ideal, scenarios.Ideal(v.OnHost(host, len(delays)), batches, write))
		for _, batch := range batches {
			items += len(batch)
		}
	}
	if s.Service != nil {
		return ScheduledTrial{
			Block: block, Variant: v, Level: level, Seed: seed,
			Estimate: trialOverhead + time.Duration(len(delays)-1)*hostOverhead + time.Duration(s.Service.Duration) + serviceOverhead,
		}
	}
	perItem := itemOverhead + time.Duration(s.SUT.Serial.Fetch+s.SUT.Serial.Write)
	if _, writes := v.Schedule().AtOnce(); writes == 1 {
		perItem += writeCost
	}
	return ScheduledTrial{
		Block: block, Variant: v, Level: level, Seed: seed, Ideal: ideal,
		Estimate: ideal + trialOverhead + time.Duration(len(delays)-1)*hostOverhead + time.Duration(items)*perItem,
	}
}

// shares returns the arguments of the items of each host.
func shares(s *scenarios.Scenario) [][][]string {
	return scenarios.Deal(s.ItemArgs(), itemKey, s.SUT.HostCount())
}

// sharesOf returns the arguments of the items of each host that runs.
func sharesOf(s *scenarios.Scenario, shard scenarios.Shard) [][][]string {
	all := shares(s)
	if shard.Of == 0 {
		return all
	}
	return all[shard.Host() : shard.Host()+1]
}

// itemArgs returns the arguments of the items that the trial processes.
func (t ScheduledTrial) itemArgs() [][]string {
	if t.Shard.Of == 0 {
		return t.Level.Scenario.ItemArgs()
	}
	return sharesOf(t.Level.Scenario, t.Shard)[0]
}

// warms reports whether the items of a warm-up precede those of the trial.
func (t ScheduledTrial) warms() bool {
	return t.Level.Scenario.SUT.Warmup != (scenarios.Warmup{}) && !t.Level.Scenario.IsHTTPService()
}

// declaredLimit returns the limit on the requests in flight of the hosts that run; zero
// means none.
func (t ScheduledTrial) declaredLimit() int {
	if t.Shard.Of == 0 {
		return t.Level.Scenario.DeclaredLimit(t.Variant)
	}
	limit, _ := t.Variant.Schedule().AtOnce()
	return limit
}

// maxRate returns the requests per second that the hosts that run may start at an external
// upstream.
func (t ScheduledTrial) maxRate() int {
	if t.Shard.Of == 0 {
		return t.Level.Scenario.External.MaxRate()
	}
	return scenarios.Share(t.Level.Scenario.External.MaxRate(), t.Shard.Host(), t.Shard.Of)
}

// maxRequests returns the requests of the whole run that the hosts that run may send to an
// external upstream, including repetitions.
func (t ScheduledTrial) maxRequests() int {
	if t.Shard.Of == 0 {
		return t.Level.Scenario.External.MaxRequests()
	}
	return scenarios.Share(t.Level.Scenario.External.MaxRequests(), t.Shard.Host(), t.Shard.Of)
}

// distinct returns the number of distinct items.
func distinct(items [][]string) int {
	keys := make(map[string]bool, len(items))
	for _, args := range items {
		keys[itemKey(args)] = true
	}
	return len(keys)
}

// itemBatches returns the keys that a host fetches in each of its batches, in order and
// without the duplicates in a batch.
func itemBatches(items [][]string, n int) [][]string {
	n = max(1, n)
	batches := make([][]string, n)
	for b := range n {
		seen := map[string]bool{}
		for _, args := range items[b*len(items)/n : (b+1)*len(items)/n] {
			if key := itemKey(args); !seen[key] {
				seen[key] = true
				batches[b] = append(batches[b], key)
			}
		}
	}
	return batches
}

// injected returns the delays that the upstream will inject into the fetches.
func injected(p mockupstream.Profile, seed uint64, batches [][]string) [][]time.Duration {
	attempts := map[string]int{}
	delays := make([][]time.Duration, len(batches))
	for b, keys := range batches {
		for _, key := range keys {
			attempts[key]++
			delays[b] = append(delays[b], p.Draw(seed, key, attempts[key]).Delay)
		}
	}
	return delays
}

// Requests returns the number of items that the trials of a plan fetch from the upstream.
func Requests(plan []ScheduledTrial) (requests int) {
	for _, t := range plan {
		requests += requestsOf(t)
	}
	return requests
}

// EstimateDuration returns the sum of the estimates of the trials.
func EstimateDuration(plan []ScheduledTrial) time.Duration {
	var sum time.Duration
	for _, t := range plan {
		sum += t.Estimate
	}
	return sum
}

// collection returns the name of a trial's own collection.
func collection(index int) string { return fmt.Sprintf("trial_%05d", index) }

// DatabaseName returns the name of the only database that a run writes to:
// "floodgate_" and the run's ID, with characters replaced that MongoDB does not
// accept in a name.
func DatabaseName(id string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, id)
	return "floodgate_" + clean[:min(len(clean), maxDatabaseID)]
}

// maxDatabaseID keeps the name within MongoDB's 63 bytes.
const maxDatabaseID = 63 - len("floodgate_")

// Header describes a new run of the scenario on the environment.
func Header(s *scenarios.Scenario, quick bool, env results.Environment, now time.Time) (results.Header, error) {
	plan, err := Schedule(s)
	if err != nil {
		return results.Header{}, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return results.Header{}, fmt.Errorf("encode scenario %q: %w", s.Name, err)
	}
	return results.Header{
		ID: results.NewID(now), Started: now.UTC(), Scenario: text, ScenarioName: s.Name,
		Seed: s.Seed, Quick: quick, Planned: len(plan), Environment: env,
	}, nil
}

// UsesLink reports whether any level adds delays or faults to the connection to the
// database.
func UsesLink(s *scenarios.Scenario) (bool, error) {
	return anyLevel(s, func(s *scenarios.Scenario) bool { return s.Database.Linked() })
}

// UsesContainer reports whether the SUT of any level runs in a container.
func UsesContainer(s *scenarios.Scenario) (bool, error) {
	return anyLevel(s, func(s *scenarios.Scenario) bool { return s.SUT.Contained() })
}

func anyLevel(s *scenarios.Scenario, matches func(*scenarios.Scenario) bool) (bool, error) {
	levels, err := s.ExpandLevels()
	return slices.ContainsFunc(levels, func(l scenarios.Level) bool { return matches(l.Scenario) }), err
}

// CheckExternal returns an error if a scenario cannot run on an external upstream:
// its levels vary the mock's profile, or it would send more requests than
// external.requests allows.
func CheckExternal(s *scenarios.Scenario) error {
	plan, err := Schedule(s)
	if err != nil {
		return err
	}
	requests := 0
	for _, t := range plan {
		for factor := range t.Level.Factors {
			if strings.HasPrefix(factor, "upstream.") {
				return fmt.Errorf("scenario %s: levels vary %s, which only the built-in mock upstream supports", s.Name, factor)
			}
		}
		requests += requestsOf(t)
	}
	if bound := s.External.MaxRequests(); requests > bound {
		return fmt.Errorf("scenario %s: the run would send %d requests to an external upstream, more than external.requests allows (%d); use fewer items, levels or blocks (--quick), or raise the bound", s.Name, requests, bound)
	}
	return nil
}

// Budget is a Tester on an external upstream that runs no trial with which all of them
// would send more requests than external.requests allows. It returns a [BudgetError]
// instead.
type Budget struct {
	Tester
	sent int
}

// BudgetError reports that a run or a search ended because external.requests allows no
// further trial.
type BudgetError struct {
	// Sent is the number of requests of the trials so far, Next that of the next trial,
	// and Allowed the bound. A Next of zero means that the proxy in front of the upstream
	// refused a request of the last trial, and that Sent is unknown.
	Sent, Next, Allowed int
}

func (e *BudgetError) Error() string {
	if e.Next == 0 {
		return fmt.Sprintf("external.requests allows %d requests to the external upstream in all, and the program needed more; the trial in which they ran out does not count; raise the bound, or use fewer items, levels or blocks (--quick)", e.Allowed)
	}
	return fmt.Sprintf("%d requests were sent to the external upstream, and the next trial needs %d, but external.requests allows %d in all; raise the bound to continue the search", e.Sent, e.Next, e.Allowed)
}

// Run runs one attempt if the bound allows it.
func (b *Budget) Run(ctx context.Context, t ScheduledTrial) (results.Trial, error) {
	next, allowed := requestsOf(t), t.Level.Scenario.External.MaxRequests()
	if b.sent+next > allowed {
		return results.Trial{}, &BudgetError{b.sent, next, allowed}
	}
	b.sent += next
	return b.Tester.Run(ctx, t)
}

// requestsOf returns the number of items that a trial fetches. What an HTTP service
// requests is unknown, and bounded by the proxy.
func requestsOf(t ScheduledTrial) (requests int) {
	if t.Level.Scenario.IsHTTPService() {
		return 0
	}
	if s := t.Level.Scenario.Service; s != nil { // plus one report to each host after the load
		reports := rateOf(s.Arrivals, time.Duration(s.Duration)).Arrivals(time.Duration(s.Duration))
		return (int(math.Ceil(reports)) + t.Level.Scenario.SUT.HostCount()) * s.ReportItems
	}
	for _, share := range sharesOf(t.Level.Scenario, t.Shard) {
		for _, batch := range itemBatches(share, t.Level.Scenario.Items.Batches) {
			requests += len(batch)
		}
	}
	return requests
}
