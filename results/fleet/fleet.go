// Package fleet merges the reports of the hosts of one trial into the figures of the
// trial, without loss:
//
//	var sum fleet.Sum
//	for _, h := range trial.Hosts {
//		err := sum.Add(h)
//	}
//	err := sum.Into(&trial)
//	fmt.Println(trial.Stages["item"].P99) // the quantile of all items of all hosts
//
// Hosts may be added in any order, and sums may be merged in any grouping: the result is
// the same.
package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
)

// Sum is the sum of any number of hosts. The zero value is that of none.
type Sum struct {
	hosts  int
	stages map[string]*hdrhistogram.Histogram
	errors map[errorKey]results.ErrorCount

	done, failed, goroutines total[int]
	allocs                   total[uint64]
	throttled                int
	resources                results.Resources
	slots                    *results.SlotLimit

	worst  results.Host // with the highest peak of descriptors; valid if hosts > 0
	leaked results.Host // with the most leaked descriptors; valid if hosts > 0

	working      int // hosts with items
	first, start time.Duration
	last         time.Duration
	outside      bool
	uncertainty  time.Duration
}

type errorKey struct{ kind, side string }

// total is a sum that is unknown if one of its terms is.
type total[N int | uint64] struct {
	n       N
	unknown bool
}

func (t *total[N]) add(n *N) {
	if n == nil {
		t.unknown = true
		return
	}
	t.n += *n
}

func (t *total[N]) merge(o total[N]) { t.n, t.unknown = t.n+o.n, t.unknown || o.unknown }

func (t total[N]) get() *N {
	if t.unknown {
		return nil
	}
	return &t.n
}

// Add adds a host. It is an error if a histogram does not decode, or has another range or
// precision than those of the same stage of other hosts; the sum is then not to be used.
func (s *Sum) Add(h results.Host) error {
	if s.stages == nil {
		s.stages, s.errors = make(map[string]*hdrhistogram.Histogram), make(map[errorKey]results.ErrorCount)
	}
	for name, stage := range h.Stages {
		packed, err := hdrhistogram.DecodePacked([]byte(stage.Data))
		if err != nil {
			return fmt.Errorf("host %d: stage %s: decode histogram: %w", h.Index, name, err)
		}
		if err := s.addStage(name, packed); err != nil {
			return fmt.Errorf("host %d: %w", h.Index, err)
		}
	}
	for _, e := range h.Errors {
		e.First += h.Start
		s.addError(e)
	}
	s.done.add(h.ItemsDone)
	s.failed.add(h.ItemsFailed)
	s.allocs.add(h.Resources.Allocs)
	s.throttled += h.Throttled
	s.addResources(h.Resources)
	if h.Resources.Goroutines == nil {
		s.goroutines.unknown = true
	} else {
		s.goroutines.n = max(s.goroutines.n, *h.Resources.Goroutines)
	}
	s.addSlots(h.SlotLimit)
	one := results.Host{Index: h.Index, Descriptors: h.Descriptors}
	s.addDescriptors(one, one)
	if h.Items > 0 {
		s.addSpan(1, h.Start, h.Start, h.End)
		s.outside = s.outside || h.MakespanSource == "outside"
		s.uncertainty = max(s.uncertainty, h.Uncertainty)
	}
	s.hosts++
	return nil
}

// Merge adds the hosts of another sum, which stays as it is. The error is that of Add.
func (s *Sum) Merge(o *Sum) error {
	if o.hosts == 0 {
		return nil
	}
	if s.stages == nil {
		s.stages, s.errors = make(map[string]*hdrhistogram.Histogram), make(map[errorKey]results.ErrorCount)
	}
	for name, stage := range o.stages {
		packed := hdrhistogram.NewPacked(stage.LowestTrackableValue(), stage.HighestTrackableValue(), int(stage.SignificantFigures()))
		packed.MergeFrom(stage)
		if err := s.addStage(name, packed); err != nil {
			return err
		}
	}
	for _, e := range o.errors {
		s.addError(e)
	}
	s.done.merge(o.done)
	s.failed.merge(o.failed)
	s.allocs.merge(o.allocs)
	s.throttled += o.throttled
	s.addResources(o.resources)
	s.goroutines = total[int]{max(s.goroutines.n, o.goroutines.n), s.goroutines.unknown || o.goroutines.unknown}
	s.addSlots(o.slots)
	s.addDescriptors(o.worst, o.leaked)
	if o.working > 0 {
		s.addSpan(o.working, o.first, o.start, o.last)
		s.outside = s.outside || o.outside
		s.uncertainty = max(s.uncertainty, o.uncertainty)
	}
	s.hosts += o.hosts
	return nil
}

// addStage adds a histogram, which must have the range and precision of the others.
func (s *Sum) addStage(name string, h *hdrhistogram.PackedHistogram) error {
	sum := s.stages[name]
	if sum == nil {
		sum = hdrhistogram.New(h.LowestTrackableValue(), h.HighestTrackableValue(), int(h.SignificantFigures()))
		s.stages[name] = sum
	}
	if sum.LowestTrackableValue() != h.LowestTrackableValue() || sum.HighestTrackableValue() != h.HighestTrackableValue() || sum.SignificantFigures() != h.SignificantFigures() {
		return fmt.Errorf("stage %s: its histogram covers %d to %d ns with %d figures, those of other hosts %d to %d with %d, so that they cannot be merged without loss",
			name, h.LowestTrackableValue(), h.HighestTrackableValue(), h.SignificantFigures(),
			sum.LowestTrackableValue(), sum.HighestTrackableValue(), sum.SignificantFigures())
	}
	if dropped := h.MergeInto(sum); dropped > 0 {
		return fmt.Errorf("stage %s: %d values are out of range", name, dropped)
	}
	return nil
}

func (s *Sum) addError(e results.ErrorCount) {
	k := errorKey{e.Type, e.Side}
	sum, known := s.errors[k]
	if !known || e.First < sum.First || e.First == sum.First && e.Sample < sum.Sample {
		sum.First, sum.Sample = e.First, e.Sample
	}
	sum.Type, sum.Side, sum.Count = e.Type, e.Side, sum.Count+e.Count
	s.errors[k] = sum
}

func (s *Sum) addResources(r results.Resources) {
	s.resources.UserCPU += r.UserCPU
	s.resources.SystemCPU += r.SystemCPU
	s.resources.PeakRSS = max(s.resources.PeakRSS, r.PeakRSS)
	s.resources.Threads = max(s.resources.Threads, r.Threads)
}

func (s *Sum) addSlots(l *results.SlotLimit) {
	if l == nil {
		return
	}
	if s.slots == nil || cmp.Or(cmp.Compare(l.Settled, s.slots.Settled), cmp.Compare(l.Last, s.slots.Last)) > 0 {
		s.slots = l
	}
}

// addDescriptors replaces the hosts with the most descriptors and with the largest leak.
func (s *Sum) addDescriptors(worst, leaked results.Host) {
	if s.hosts == 0 || compare(peak(worst), peak(s.worst), worst, s.worst) > 0 {
		s.worst = worst
	}
	if s.hosts == 0 || compare(leak(leaked), leak(s.leaked), leaked, s.leaked) > 0 {
		s.leaked = leaked
	}
}

// compare compares figures of two hosts; of equal ones the first host counts as more.
func compare(a, b int, hostA, hostB results.Host) int {
	return cmp.Or(cmp.Compare(a, b), cmp.Compare(hostB.Index, hostA.Index))
}

// peak returns the host's peak of descriptors, or -1 if it is unknown.
func peak(h results.Host) int {
	if n, ok := h.Descriptors.Highest(); ok {
		return n
	}
	return -1
}

// leak orders leaks so that the sum of hosts without a leak is unknown if one of them was
// not checked.
func leak(h results.Host) int {
	switch n := h.Descriptors.Leaked; {
	case n == nil:
		return 1
	case *n == 0:
		return 0
	default:
		return 1 + *n
	}
}

// addSpan adds hosts with items: their first and latest start, and their last end.
func (s *Sum) addSpan(working int, first, start, last time.Duration) {
	if s.working == 0 {
		s.first, s.start, s.last = first, start, last
	}
	s.first, s.start, s.last = min(s.first, first), max(s.start, start), max(s.last, last)
	s.working += working
}

// Makespan returns the time from the first start to the last end; zero means that no host
// had items. Its source is "outside" if that of a host is, and else "sut".
func (s *Sum) Makespan() (d time.Duration, source string) {
	if s.outside {
		return s.last - s.first, "outside"
	}
	return s.last - s.first, "sut"
}

// Worst returns the index of the host with the highest peak of descriptors.
func (s *Sum) Worst() int { return s.worst.Index }

// Skew returns the latest start of a host with items minus the earliest, and the largest
// uncertainty of the hosts.
func (s *Sum) Skew() (skew, uncertainty time.Duration) { return s.start - s.first, s.uncertainty }

// Into sets the fields of a trial that its hosts report:
//
//   - Stages: the histogram of all values of all hosts; a stage that one host has is that
//     of the hosts that have it.
//   - Errors: the counts by type and side, added; First is since the first start of all
//     hosts, and Sample is that of the first.
//   - ItemsDone, ItemsFailed and Allocs: sums, unknown if a host did not report its own.
//   - Throttled, UserCPU and SystemCPU: sums.
//   - PeakRSS, Threads and Goroutines: the highest of one host. SlotLimit: the highest
//     settled limit of one host.
//   - Descriptors: those of the host with the highest peak, because RLIMIT_NOFILE bounds
//     each host, with the largest leak of a host; without a leak, Leaked is unknown if
//     one host was not checked.
func (s *Sum) Into(t *results.Trial) error {
	t.Stages = nil
	for name, sum := range s.stages {
		h, err := results.NewHistogram(sum)
		if err != nil {
			return fmt.Errorf("stage %s: %w", name, err)
		}
		if t.Stages == nil {
			t.Stages = make(map[string]results.Histogram, len(s.stages))
		}
		t.Stages[name] = h
	}
	t.Errors = slices.SortedFunc(maps.Values(s.errors), func(a, b results.ErrorCount) int {
		return cmp.Or(cmp.Compare(a.First, b.First), strings.Compare(a.Type, b.Type), strings.Compare(a.Side, b.Side))
	})
	t.ItemsDone, t.ItemsFailed = s.done.get(), s.failed.get()
	t.Throttled, t.SlotLimit = s.throttled, s.slots
	t.Resources = s.resources
	t.Resources.Goroutines, t.Resources.Allocs = s.goroutines.get(), s.allocs.get()
	t.Descriptors = s.worst.Descriptors
	t.Descriptors.Leaked, t.Descriptors.LeakedKinds = s.leaked.Descriptors.Leaked, s.leaked.Descriptors.LeakedKinds
	return nil
}

// Sample is a value from a time on.
type Sample struct {
	// At is the time since an instant that all series have in common.
	At    time.Duration
	Value int64
}

// Peak returns the highest sum of several series at one time, and the first such time. A
// series has each value until the next, and is zero before the first. Times rise in each
// series.
func Peak(series ...[]Sample) (peak int64, at time.Duration) {
	type change struct {
		at time.Duration
		by int64
	}
	var changes []change
	for _, s := range series {
		last := int64(0)
		for _, sample := range s {
			changes = append(changes, change{sample.At, sample.Value - last})
			last = sample.Value
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	sum := int64(0)
	for i, c := range changes {
		sum += c.by
		if i+1 < len(changes) && changes[i+1].at == c.at {
			continue
		}
		if sum > peak {
			peak, at = sum, c.at
		}
	}
	return peak, at
}
