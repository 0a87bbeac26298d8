package recorder

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Summary is what a Recorder recorded.
type Summary struct {
	// Makespan is from the first start to the last end; 0 where there was no item.
	Makespan time.Duration
	// Started is when the first item was.
	Started time.Time
	// Done and Failed count the items that were started.
	Done, Failed int
	// Histograms by name of stage, see Stages; all are there, even empty.
	Histograms map[string]*hdrhistogram.Histogram
	// Failures by time of the first.
	Failures []Failure
	// Warnings say what the histograms cannot show.
	Warnings []string
}

// Summary merges the shards. It may be called while items are recorded.
func (r *Recorder) Summary() Summary {
	sum := Summary{Histograms: make(map[string]*hdrhistogram.Histogram)}
	for _, name := range Stages() {
		sum.Histograms[name] = newHistogram()
	}
	var last time.Time
	var clamped [stages]int
	failures := make(map[key]*Failure)
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		if !s.first.IsZero() && (sum.Started.IsZero() || s.first.Before(sum.Started)) {
			sum.Started = s.first
		}
		if s.last.After(last) {
			last = s.last
		}
		sum.Done += s.done
		sum.Failed += s.failed
		for stage, name := range Stages() {
			sum.Histograms[name].Merge(s.histograms[stage])
			clamped[stage] += s.clamped[stage]
		}
		merge(failures, s.errors)
		s.mu.Unlock()
	}
	if !sum.Started.IsZero() {
		sum.Makespan = last.Sub(sum.Started)
	}
	for _, f := range failures {
		f.First = f.at.Sub(sum.Started)
		sum.Failures = append(sum.Failures, *f)
	}
	slices.SortFunc(sum.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.First, b.First), strings.Compare(a.Type, b.Type), strings.Compare(a.Side, b.Side))
	})
	for stage, n := range clamped {
		if n > 0 {
			sum.Warnings = append(sum.Warnings, fmt.Sprintf(
				"%s: %d values were outside 0 to %v and were recorded as the nearest in it",
				Stages()[stage], n, time.Duration(Highest)))
		}
	}
	return sum
}

func merge(into, from map[key]*Failure) {
	for k, f := range from {
		all := into[k]
		if all == nil {
			all = new(*f)
			into[k] = all
			continue
		}
		all.Count += f.Count
		if f.at.Before(all.at) {
			all.at, all.Sample = f.at, f.Sample
		}
	}
}
