// Package shards merges the records of the shards of one run, which ran on machines of
// their own, into the record of the fleet:
//
//	first, err := results.Open("machine1/run.jsonl") // floodgate run --shard 1/2
//	…
//	run, err := shards.Merge(first, second)
//	fmt.Println(run.Trials[0].Stages["item"].P99) // the quantile of all items of both
//
// # What is exact
//
// Every shard runs, of each trial, the items of one host, with the same seed and in the
// same order of trials, so its trial T and trial T of the other shards belong together.
// Latencies (histograms), errors, items, documents, requests, CPU times and the descriptors
// of each host are those of a fleet, merged without loss by package fleet.
//
// # What is not known
//
// The machines have no common clock and no common start, so the makespan of the fleet, its
// skew and the peaks of all hosts at one time are unknown. The makespan of a merged trial is
// the time of its slowest host, marked by [results.Trial.Apart]: claims, thresholds and
// gates about makespans are inconclusive, and tables leave the makespan out. Requests in
// flight and connections at the upstream are the sums of the hosts' peaks, which a fleet
// cannot exceed. An upstream or a database that the shards do not share sees the load of one
// host only.
//
// # Order and grouping
//
// A merged record keeps the record of each host, and is a function of the set of shards:
// they may be given in any order, and a merge of some of them may be merged with the others.
package shards

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/fleet"
)

// Merge merges the shards of one run. If some are missing, Header.Shard of the merged record
// names those that it holds. Its ID is empty.
//
// It is an error if a record is not of shards, if no trial is in all of them, if two of them hold the same shard, or if
// they differ in scenario, seed, number of shards, build or environment.
func Merge(runs ...*results.Run) (*results.Run, error) {
	if len(runs) == 0 {
		return nil, errors.New("no shards to merge")
	}
	for i, run := range runs {
		if err := isShard(run); err != nil {
			return nil, err
		}
		if i == 0 {
			continue
		}
		if err := fit(runs[0], run); err != nil {
			return nil, err
		}
		for _, other := range runs[:i] {
			if err := apart(other, run); err != nil {
				return nil, err
			}
		}
	}
	merged := &results.Run{Header: header(runs)}
	for _, t := range runs[0].Trials {
		same, err := sameTrial(t, runs)
		if err != nil {
			return nil, err
		}
		if same == nil { // a shard has not run it
			continue
		}
		trial, err := mergeTrial(same, merged.Header)
		if err != nil {
			return nil, fmt.Errorf("trial %d: %w", t.Index, err)
		}
		merged.Trials = append(merged.Trials, trial)
	}
	slices.SortFunc(merged.Trials, func(a, b results.Trial) int { return cmp.Compare(a.Index, b.Index) })
	if len(merged.Trials) == 0 {
		return nil, errors.New("no trial is in all shards; resume the unfinished ones where they ran (floodgate run --resume)")
	}
	merged.Complete = len(merged.Trials) == merged.Header.Planned
	return merged, nil
}

func isShard(run *results.Run) error {
	h := run.Header
	switch {
	case h.Search:
		return fmt.Errorf("cannot merge %s: it is a plan, not a shard of a run", h.ID)
	case h.Shard == nil && h.Merged != nil:
		return fmt.Errorf("cannot merge %s: it is merged from all of its %d shards already", h.ID, len(h.Merged))
	case h.Shard == nil:
		return fmt.Errorf("cannot merge %s: it is a whole run, not a shard (floodgate run --shard)", h.ID)
	}
	return nil
}

// fit returns an error if two records are not of one run.
func fit(a, b *results.Run) error {
	h, o := a.Header, b.Header
	differ := func(what string, of, other any) error {
		return fmt.Errorf("%s and %s are not shards of one run: %s differs, %v and %v", h.ID, o.ID, what, of, other)
	}
	switch {
	case h.ScenarioName != o.ScenarioName:
		return differ("the scenario", h.ScenarioName, o.ScenarioName)
	case h.Seed != o.Seed:
		return differ("the seed", h.Seed, o.Seed)
	case h.Shard.Of != o.Shard.Of:
		return differ("the number of shards", h.Shard.Of, o.Shard.Of)
	case h.Quick != o.Quick:
		return differ("--quick", h.Quick, o.Quick)
	case h.Hash != o.Hash:
		return differ("the content of scenario "+h.ScenarioName, "hash "+short(h.Hash), "hash "+short(o.Hash))
	case h.Planned != o.Planned:
		return differ("the number of trials", h.Planned, o.Planned)
	case (h.SUT == nil) != (o.SUT == nil):
		return differ("the program under test", program(h.SUT), program(o.SUT))
	}
	if why := setting(a).Compare(setting(b)).Unmergeable(); len(why) > 0 {
		return fmt.Errorf("%s and %s are not shards of one run: %s", h.ID, o.ID, strings.Join(why, "; "))
	}
	return nil
}

// setting returns the setting of a shard without the addresses of its servers, which may
// differ from machine to machine.
func setting(run *results.Run) results.Setting {
	s := run.Setting()
	s.Environment.Database, s.Environment.Upstream = product(s.Environment.Database), product(s.Environment.Upstream)
	return s
}

// product returns the description of a server without its address, which may differ from
// machine to machine.
func product(server string) string {
	name, _, _ := strings.Cut(server, " at ")
	return name
}

func short(revision string) string { return revision[:min(len(revision), 12)] }

func program(s *results.SUT) string {
	if s == nil {
		return "the built-in pipeline"
	}
	return "a program of the user's own"
}

// apart returns an error if two records hold the same shard.
func apart(a, b *results.Run) error {
	if a.Header.ID == b.Header.ID {
		return fmt.Errorf("%s is given twice", a.Header.ID)
	}
	both := results.Shard{Of: a.Header.Shard.Of}
	for _, n := range a.Header.Shard.Numbers {
		if slices.Contains(b.Header.Shard.Numbers, n) {
			both.Numbers = append(both.Numbers, n)
		}
	}
	switch len(both.Numbers) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%v is in both %s and %s; leave one of them out", both, a.Header.ID, b.Header.ID)
	}
	return fmt.Errorf("%v are in both %s and %s; leave one of them out", both, a.Header.ID, b.Header.ID)
}

// header merges the headers.
func header(runs []*results.Run) results.Header {
	h := runs[0].Header
	h.ID, h.Shard, h.Merged = "", nil, nil
	for _, run := range runs {
		if h.Merged = append(h.Merged, run.Header.Merged...); run.Header.Merged == nil {
			h.Merged = append(h.Merged, describe(run))
		}
	}
	slices.SortFunc(h.Merged, func(a, b results.MergedRun) int { return cmp.Compare(a.Shard, b.Shard) })
	h.Command = []string{"merge"}
	of := runs[0].Header.Shard.Of
	have := results.Shard{Of: of}
	var cpus, kernels []string
	for i, m := range h.Merged {
		have.Numbers = append(have.Numbers, m.Shard)
		h.Command = append(h.Command, m.ID)
		cpus, kernels = with(cpus, m.Fingerprint.CPU), with(kernels, m.Fingerprint.Kernel)
		if i == 0 {
			h.Started, h.Fingerprint, h.Environment = m.Started, m.Fingerprint, m.Environment
			h.Environment.Chosen = ""
			continue
		}
		if m.Started.Before(h.Started) {
			h.Started = m.Started
		}
		h.Fingerprint = weakest(h.Fingerprint, m.Fingerprint)
		h.Environment = join(h.Environment, m.Environment)
	}
	h.Fingerprint.CPU, h.Fingerprint.Kernel = strings.Join(cpus, " and "), strings.Join(kernels, " and ")
	if len(have.Numbers) < of {
		h.Shard = &have
		h.Command = append(h.Command, "--partial")
	}
	return h
}

func describe(run *results.Run) results.MergedRun {
	h := run.Header
	return results.MergedRun{
		Shard: h.Shard.Numbers[0], ID: h.ID, Started: h.Started, Trials: len(run.Trials), Complete: run.Complete,
		Environment: h.Environment, Fingerprint: h.Fingerprint, Command: h.Command,
	}
}

// weakest describes two machines by the smaller number of each resource.
func weakest(a, b results.Fingerprint) results.Fingerprint {
	a.Cores, a.Memory, a.NoFile = min(a.Cores, b.Cores), min(a.Memory, b.Memory), min(a.NoFile, b.NoFile)
	a.GOMAXPROCS = min(a.GOMAXPROCS, b.GOMAXPROCS)
	if a.CPUQuota == 0 || b.CPUQuota > 0 && b.CPUQuota < a.CPUQuota { // zero means no quota
		a.CPUQuota = b.CPUQuota
	}
	return a
}

// with adds a text to a list that does not contain it.
func with(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// join describes two environments of one kind. What only one of them has is in the runs
// that were merged.
func join(a, b results.Environment) results.Environment {
	if a.Engine != b.Engine {
		a.Engine = ""
	}
	if a.Database != b.Database {
		a.Database = product(a.Database)
	}
	if a.Upstream != b.Upstream {
		a.Upstream = product(a.Upstream)
	}
	if !slices.Equal(a.Containers, b.Containers) {
		a.Containers = nil
	}
	for _, list := range []struct {
		all  *[]string
		more []string
	}{{&a.Targets, b.Targets}, {&a.Notes, b.Notes}} {
		*list.all = slices.Concat(*list.all, list.more)
		slices.Sort(*list.all)
		*list.all = slices.Compact(*list.all)
	}
	return a
}

// sameTrial returns the trial of each record that has the index of t; nil means that one
// of them has none.
func sameTrial(t results.Trial, runs []*results.Run) ([]shardTrial, error) {
	var all []shardTrial
	for _, run := range runs {
		i := slices.IndexFunc(run.Trials, func(o results.Trial) bool { return o.Index == t.Index })
		if i < 0 {
			return nil, nil
		}
		o := run.Trials[i]
		if o.Variant != t.Variant || o.LevelName != t.LevelName || o.Block != t.Block || o.Seed != t.Seed {
			return nil, fmt.Errorf("trial %d of %s is %s at %s in block %d with seed %d, that of %s is %s at %s in block %d with seed %d: they are not of one schedule",
				t.Index, runs[0].Header.ID, t.Variant, t.LevelName, t.Block, t.Seed, run.Header.ID, o.Variant, o.LevelName, o.Block, o.Seed)
		}
		all = append(all, shardTrial{run, o})
	}
	return all, nil
}

// shardTrial is a trial of a record of shards.
type shardTrial struct {
	run   *results.Run
	trial results.Trial
}

// hosts returns the records of the trial's hosts.
func (s shardTrial) hosts() ([]results.Host, error) {
	if s.run.Header.Merged != nil {
		return s.trial.Hosts, nil
	}
	sc, err := s.run.Scenario()
	if err != nil {
		return nil, err
	}
	t, shard := s.trial, s.run.Header.Shard
	h := results.Host{
		Index: shard.Numbers[0] - 1, Items: t.Items, End: t.Makespan, MakespanSource: t.MakespanSource,
		Stages: t.Stages, ItemsDone: t.ItemsDone, ItemsFailed: t.ItemsFailed, Errors: t.Errors,
		Descriptors: t.Descriptors, Resources: t.Resources, SlotLimit: t.SlotLimit, Throttled: t.Throttled,
		Container: t.Container, ExitCode: t.ExitCode,
		Part: &results.Part{
			Started: t.Started, Outcome: t.Outcome, Reason: t.Reason, Warnings: t.Warnings, NotReady: t.NotReady,
			Discarded: t.Discarded, Ideal: t.Ideal, Documents: t.Documents, NoDocuments: t.NoDocuments,
			Upstream: t.Upstream, Overrun: t.Overrun, Machine: t.Machine, StderrTail: t.StderrTail,
		},
	}
	for _, v := range sc.Variants {
		if v.Name == t.Variant {
			h.Limit, _ = v.OnHost(h.Index, shard.Of).Schedule().AtOnce()
		}
	}
	return []results.Host{h}, nil
}

// mergeTrial merges the trials with one index of all records.
func mergeTrial(all []shardTrial, header results.Header) (results.Trial, error) {
	of := all[0].run.Header.Shard.Of
	first := all[0].trial
	t := results.Trial{
		Index: first.Index, Block: first.Block, Variant: first.Variant, Level: first.Level, LevelName: first.LevelName,
		Seed: first.Seed, Fleet: &results.Fleet{Apart: true},
	}
	for _, s := range all {
		hosts, err := s.hosts()
		if err != nil {
			return t, err
		}
		t.Hosts = append(t.Hosts, hosts...)
	}
	slices.SortFunc(t.Hosts, func(a, b results.Host) int { return cmp.Compare(a.Index, b.Index) })
	if len(t.Hosts) != len(header.Merged) {
		return t, fmt.Errorf("%d hosts are recorded, but %d shards were merged", len(t.Hosts), len(header.Merged))
	}
	var sum fleet.Sum
	for i, h := range t.Hosts {
		if h.Part == nil || h.Index != header.Merged[i].Shard-1 {
			return t, fmt.Errorf("host %d was not recorded as a shard", h.Index)
		}
		if err := sum.Add(h); err != nil {
			return t, err
		}
	}
	if err := sum.Into(&t); err != nil {
		return t, err
	}
	t.Makespan, t.MakespanSource = sum.Makespan()
	mergeParts(&t, of)
	return t, nil
}

// severity orders outcomes: a trial of a fleet has the first of those of its hosts. One
// that is invalid on a host is invalid, so that it is missing data whatever the others did.
var severity = []string{results.OutcomeInvalid, results.OutcomeFailed, results.OutcomeCrashed, results.OutcomeTimeout, results.OutcomeStalled, results.OutcomeOK}

// mergeParts sets the fields of a trial that package fleet does not.
func mergeParts(t *results.Trial, of int) {
	t.Outcome, t.NoDocuments = results.OutcomeOK, true
	var reasons []string
	for i, h := range t.Hosts {
		p := h.Part
		name := results.Shard{Numbers: []int{h.Index + 1}, Of: of}.String() + ": "
		if i == 0 || p.Started.Before(t.Started) {
			t.Started = p.Started
		}
		if slices.Index(severity, p.Outcome) < slices.Index(severity, t.Outcome) {
			t.Outcome, t.ExitCode, t.StderrTail = p.Outcome, h.ExitCode, p.StderrTail
		}
		if p.Outcome != results.OutcomeOK {
			reasons = append(reasons, name+p.Reason)
		}
		for _, w := range p.Warnings {
			t.Warnings = append(t.Warnings, name+w)
		}
		for _, d := range p.Discarded {
			d.Reason = name + d.Reason
			t.Discarded = append(t.Discarded, d)
		}
		t.Items += h.Items
		t.NotReady = t.NotReady || p.NotReady
		t.NoDocuments = t.NoDocuments && p.NoDocuments
		if p.Overrun != nil && (t.Overrun == nil || p.Overrun.Exceeds(*t.Overrun)) {
			t.Overrun = p.Overrun
		}
	}
	t.Container = t.Hosts[0].Container
	t.Reason = strings.Join(reasons, "; ")
	if t.Outcome != results.OutcomeOK {
		t.Makespan, t.MakespanSource = 0, ""
	}
	t.Ideal, t.Documents, t.Upstream, t.Machine = ideal(t.Hosts), documents(t.Hosts), upstream(t.Hosts), machine(t.Hosts)
}

// ideal returns the ideal makespan of the slowest host; zero means that it is unknown.
func ideal(hosts []results.Host) (slowest time.Duration) {
	for _, h := range hosts {
		if h.Part.Ideal == 0 {
			return 0
		}
		slowest = max(slowest, h.Part.Ideal)
	}
	return slowest
}

// documents adds the checks of the databases; nil means that a host's were not checked.
func documents(hosts []results.Host) *results.Documents {
	var sum results.Documents
	for _, h := range hosts {
		if h.Part.Documents == nil {
			return nil
		}
		sum.Add(*h.Part.Documents)
	}
	return &sum
}

// upstream adds the counts of the upstreams; nil means that those of a host are unknown.
// Keys of different hosts differ, so that no request of one repeats that of another.
func upstream(hosts []results.Host) *results.UpstreamStats {
	sum := &results.UpstreamStats{}
	errs := map[[2]string]results.ErrorCount{}
	for _, h := range hosts {
		u := h.Part.Upstream
		if u == nil {
			return nil
		}
		sum.Requests += u.Requests
		sum.PeakInFlight += u.PeakInFlight
		sum.PeakConns += u.PeakConns
		sum.Connections += u.Connections
		sum.Repeated += u.Repeated
		sum.Refused += u.Refused
		sum.LateMedian, sum.LateP99 = max(sum.LateMedian, u.LateMedian), max(sum.LateP99, u.LateP99)
		sum.Saturated, sum.Proxied = sum.Saturated || u.Saturated, sum.Proxied || u.Proxied
		for _, e := range u.Errors {
			key := [2]string{e.Type, e.Side}
			if known, ok := errs[key]; ok {
				if known.First < e.First {
					e.First, e.Sample = known.First, known.Sample
				}
				e.Count += known.Count
			}
			errs[key] = e
		}
	}
	for _, e := range errs {
		sum.Errors = append(sum.Errors, e)
	}
	slices.SortFunc(sum.Errors, func(a, b results.ErrorCount) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Side, b.Side))
	})
	return sum
}

// machine returns the worst state of the machines, figure by figure; nil means that it is
// unknown for one of them.
func machine(hosts []results.Host) *results.Conditions {
	var worst results.Conditions
	for i, h := range hosts {
		c := h.Part.Machine
		if c == nil {
			return nil
		}
		if i == 0 {
			worst = *c
			continue
		}
		worst.Span = max(worst.Span, c.Span)
		worst.Busy, worst.Stolen, worst.Others = higher(worst.Busy, c.Busy), higher(worst.Stolen, c.Stolen), higher(worst.Others, c.Others)
		worst.Load, worst.Pressure = higher(worst.Load, c.Load), higher(worst.Pressure, c.Pressure)
		worst.Throttled, worst.Throttles, worst.Heat = higher(worst.Throttled, c.Throttled), higher(worst.Throttles, c.Throttles), higher(worst.Heat, c.Heat)
		if f := c.Frequency; f != nil && (worst.Frequency == nil || *f < *worst.Frequency) {
			worst.Frequency = f
		}
	}
	return &worst
}

// higher returns the higher of two figures that may be unknown.
func higher[T cmp.Ordered](a, b *T) *T {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}
