package content

import (
	"fmt"
	"strings"

	"floodgate/results/leak"
	"floodgate/results/text"
	"floodgate/results/watched"
)

// Watch has the tables and sentences of a watched process.
type Watch struct {
	text.Printer
	Watch   *watched.Watch
	Outcome *watched.Outcome
}

// Title names the process and how long it was watched.
func (p *Watch) Title() string {
	return fmt.Sprintf("%s: watched for %s", p.Outcome.Process, text.InWords(p.Outcome.Took))
}

// Verdict returns the cause of the growth: "leak", "inconclusive" and so on.
func (p *Watch) Verdict() string {
	if p.Outcome.Cause == leak.Undecided {
		return string(p.Outcome.Decision)
	}
	return string(p.Outcome.Cause)
}

// Figures returns the names and values of the figures of the process over the watch.
func (p *Watch) Figures() (all [][2]string) {
	samples := p.Watch.Samples
	if len(samples) == 0 {
		return nil
	}
	over := func(of func(watched.Sample) int64, format func(int64) string) string {
		low, high := of(samples[0]), of(samples[0])
		for _, l := range samples {
			low, high = min(low, of(l)), max(high, of(l))
		}
		return fmt.Sprintf("%s at first, %s at last (%s to %s)", format(of(samples[0])), format(of(samples[len(samples)-1])), format(low), format(high))
	}
	add := func(name, text string) { all = append(all, [2]string{name, text}) }
	add("descriptors", over(func(l watched.Sample) int64 { return int64(l.Descriptors) }, text.Count)+", limit "+text.Count(p.Outcome.Limit))
	add("threads", over(func(l watched.Sample) int64 { return int64(l.Threads) }, text.Count))
	add("memory", over(func(l watched.Sample) int64 { return l.RSS }, text.Mebibytes))
	low, high := p.Outcome.InProgress[0], p.Outcome.InProgress[1]
	if high > 0 {
		add("in progress", fmt.Sprintf("at most %d–%d requests, seen from outside: %s", low, high, p.bound()))
	}
	return all
}

// bound says what the bound on the requests in progress consists of.
func (p *Watch) bound() string {
	for _, l := range p.Watch.Samples {
		if l.Kinds != nil && !l.Kinds.Traffic {
			return "open accepted connections"
		}
	}
	return "accepted connections with traffic since the previous sample, or with a request that awaits its answer"
}

// maxKinds is the greatest number of kinds in the table.
const maxKinds = 20

// Grid is the table of the kinds of descriptors, the fastest-growing first.
func (p *Watch) Grid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "descriptors"}, {Title: "first", Right: true, Drop: 2}, {Title: "least–most", Right: true, Drop: 1}, {Title: "last", Right: true},
		{Title: "idle", Right: true, Drop: 3}, {Title: "a minute", Right: true},
	}}
	for i, k := range p.Outcome.Kinds {
		if i == maxKinds {
			g.Add(fmt.Sprintf("… %d more kinds", len(p.Outcome.Kinds)-maxKinds), "", "", "", "", "")
			break
		}
		idle := ""
		if k.Idle > 0 {
			idle = text.Count(k.Idle)
		}
		growth := strings.Replace(fmt.Sprintf("%+.1f", k.PerMinute), "-", "−", 1)
		if strings.Trim(growth, "+−0.") == "" {
			growth = "0"
		}
		g.Add(k.Name, text.Count(k.First), fmt.Sprintf("%s–%s", text.Count(k.Min), text.Count(k.Max)), text.Count(k.Last), idle, growth)
	}
	return g
}
