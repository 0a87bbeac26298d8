package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"floodgate/bench/experiment"
	"floodgate/bench/progress"
	"floodgate/results"
	"floodgate/results/report/html"
	"floodgate/scenarios"
)

// Bounds on what the state keeps.
const (
	// maxSamples bounds the states of a trial: beyond it every second one is dropped, and
	// only every second one is added from then on.
	maxSamples = 600
	maxTrials  = 200 // those that ended last
	maxNotes   = 3
	maxParts   = 8 // endpoints of a sample
)

// summaryWidth is the width of the text that a terminal would show.
const summaryWidth = 100

// state is what the page shows of a run. Its slices are only appended to or replaced, so
// that a snapshot costs nothing and is not changed afterwards.
type state struct {
	mu      sync.Mutex
	tracker progress.Tracker
	begun   bool
	service bool
	live    html.Live
	index   int // of the trial of the samples
	began   time.Time
	stride  int // every how many states one is kept
	skipped int
}

func newState() *state {
	return &state{tracker: progress.NewTracker(), live: html.Live{Title: "Floodgate", Summary: "The run has not begun."}, index: -1}
}

// now returns a snapshot, which the caller may retain.
func (s *state) now() *html.Live {
	s.mu.Lock()
	live, begun, shown := s.live, s.begun, s.tracker.Now()
	s.mu.Unlock()
	if begun {
		live.Summary = strings.Join(progress.Render(shown, s.service, summaryWidth, false), "\n")
	}
	return &live
}

// Progress returns a Progress that shows the run of a scenario on the page.
func (s *Server) Progress(id string, of *scenarios.Scenario) experiment.Progress {
	live := html.Live{Title: of.Name + ": " + of.Title, Run: id, Summary: "The run has not begun."}
	for _, v := range of.Variants {
		live.Variants = append(live.Variants, v.Name)
	}
	if of.Service != nil {
		live.Unit = of.Service.Unit()
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.live, s.state.service = live, of.Service != nil
	return (*follower)(s.state)
}

// follower updates the state. Its methods take as long as it takes to append.
type follower state

func (f *follower) change(with func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	with()
}

func (f *follower) Started(planned, done int, left time.Duration) {
	f.change(func() {
		f.tracker.Started(planned, done, left)
		f.begun = true
	})
}

func (f *follower) TrialStarted(t experiment.ScheduledTrial, left time.Duration) {
	f.change(func() {
		f.tracker.TrialStarted(t, left)
		f.index, f.began = t.Index, time.Time{}
		f.live.Trial = fmt.Sprintf("%s, block %d, %s", t.Variant.Name, t.Block+1, cmp.Or(t.Level.Label, t.Level.Name))
		f.live.Samples, f.stride, f.skipped = nil, 1, 0
	})
}

func (f *follower) TrialEnded(t results.Trial, left time.Duration) {
	f.change(func() {
		f.tracker.TrialEnded(left)
		f.index = -1
		if t.Outcome == results.OutcomeOK || t.Outcome == results.OutcomeStalled {
			f.live.Trials = appended(f.live.Trials, ended(&t, slices.Index(f.live.Variants, t.Variant)), maxTrials)
		}
	})
}

func (f *follower) Note(text string) {
	f.change(func() { f.live.Notes = appended(f.live.Notes, text, maxNotes) })
}

// appended adds to the end of a slice, of which it keeps at most the last ones.
func appended[T any](all []T, one T, most int) []T {
	return append(all[max(0, len(all)+1-most):], one)
}

// ended returns the figures of a trial.
func ended(t *results.Trial, variant int) html.LiveTrial {
	e := html.LiveTrial{
		Number: t.Index + 1, Variant: variant, Level: t.LevelName, Makespan: t.Makespan,
		P99: t.Stages["item"].P99, Descriptors: t.Descriptors.Peak,
	}
	if t.ItemsDone != nil {
		e.Items = *t.ItemsDone
	}
	if t.Service != nil {
		e.P99 = t.Service.Response.P99
	}
	if t.Upstream != nil {
		e.InFlight = t.Upstream.PeakInFlight
	}
	return e
}

// Live adds a state of the trial in progress. A repeated attempt begins anew.
func (f *follower) Live(l experiment.Live) {
	f.tracker.Offer(l)
	sample := sampled(&l)
	f.change(func() {
		if l.Trial.Index != f.index || l.Began.Before(f.began) {
			return // it is late
		}
		if !l.Began.Equal(f.began) {
			f.began, f.live.Samples, f.stride, f.skipped = l.Began, nil, 1, 0
		}
		f.live.NoFile = l.NoFile
		if f.skipped++; f.skipped < f.stride {
			return
		}
		f.skipped = 0
		if len(f.live.Samples) == maxSamples {
			kept := make([]html.LiveSample, 0, maxSamples)
			for i := 0; i < maxSamples; i += 2 {
				kept = append(kept, f.live.Samples[i])
			}
			f.live.Samples, f.stride = kept, 2*f.stride
		}
		f.live.Samples = append(f.live.Samples, sample)
	})
}

// sampled returns the figures of a state.
func sampled(l *experiment.Live) html.LiveSample {
	k := &l.Tick
	s := html.LiveSample{
		At: k.At, DueRate: l.DueRate, DoneRate: l.DoneRate, P50: l.P50, P99: l.P99, Descriptors: l.Descriptors,
		InFlight: k.ReportsInFlight, Items: k.Outstanding, Fetching: k.Fetching, Writing: k.Writing, Tasks: k.Goroutines, Slots: k.SlotsInUse,
	}
	switch {
	case l.Endpoints != nil:
		for _, e := range l.Endpoints[:min(len(l.Endpoints), maxParts)] {
			s.Parts = append(s.Parts, html.LivePart{Name: e.Name, Count: e.Last})
		}
	case l.Kinds != nil:
		s.Parts = []html.LivePart{{Name: "upstream", Count: l.Kinds.Upstream}, {Name: "database", Count: l.Kinds.Mongo}, {Name: "other", Count: l.Kinds.Others()}}
	}
	return s
}
