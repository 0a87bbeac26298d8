package report

import (
	"fmt"
	"strings"

	"floodgate/results/capacity"
	"floodgate/results/report/text"
)

// recommendation says in words which limit to take, and what speaks for it.
func (p *limitPrinter) recommendation() {
	r := p.plan.Recommendation
	if r == nil {
		return
	}
	p.Line("")
	p.Wrapped("", p.Bold(p.advice(r)), "")
	if r.Limit > 0 {
		taken := p.plan.Limit(r.Limit)
		p.hang("throughput", "%s/s, %s of the highest (%s/s at %d)", text.Digits(taken.Throughput.Estimate), text.Percent(r.Share),
			text.Digits(p.plan.Limit(r.Peak).Throughput.Estimate), r.Peak)
		if taken.Peak != nil {
			p.hang("headroom", "%s of %s descriptors open, %s more allowed", text.Count(*taken.Peak), text.Count(p.plan.Terms.NoFile), text.Count(r.FreeDescriptors))
		}
	}
	p.hang("binding", "%s: %s", r.Binding.Resource, r.Binding.Says)
	p.adaptive()
	p.waiting(r.Waiting)
	for _, note := range r.Notes {
		p.hang("note", "%s", note)
	}
}

// advice is the recommendation in a sentence.
func (p *limitPrinter) advice(r *capacity.Recommendation) string {
	switch {
	case r.Limit == 0:
		return "take none of these: each breaks what is asked for"
	case !p.plan.Finished():
		return fmt.Sprintf("not finished: %d is the smallest so far that does as well as any", r.Limit)
	case r.Compromise:
		return fmt.Sprintf("%d is the best of those tried: none reaches %.0f %% of the highest throughput and keeps the rest", r.Limit, 100*p.plan.Terms.Reach)
	case r.UpTo > r.Limit:
		return fmt.Sprintf("take %d; anything up to %d will do", r.Limit, r.UpTo)
	}
	return fmt.Sprintf("take %d", r.Limit)
}

// adaptive is the limit that was found by another way.
func (p *limitPrinter) adaptive() {
	a := p.plan.Adaptive
	if a == nil {
		return
	}
	low, high := a.Between()
	words := text.Count(low)
	if high > low {
		words = fmt.Sprintf("%d to %d", low, high)
	}
	var rates []string
	for _, run := range a.Runs {
		rates = append(rates, text.Digits(run.Throughput))
	}
	p.hang("adaptive", "the strategy that finds its limit itself came to %s (%s/s)", words, strings.Join(rates, ", "))
}

// waiting is what items have to expect that come when they come.
func (p *limitPrinter) waiting(all []capacity.Waiting) {
	if len(all) == 0 {
		return
	}
	w := all[len(all)/2]
	p.hang("waiting", "where items come at random at %s/s, %.0f %% of the slots being in use, %s of them wait, %s in the mean of all (Erlang C, for Poisson arrivals, exponential times that do not depend on the load, and room for all that wait)",
		text.Digits(w.Rate), 100*w.Load, text.Percent(w.Waits), text.Duration(w.Mean))
}

// config are the settings to paste.
func (p *limitPrinter) config() {
	r := p.plan.Recommendation
	if r == nil || r.Config == nil || !p.plan.Finished() {
		return
	}
	c, g := r.Config, &text.Grid{Columns: make([]text.Column, 2)}
	g.Add(fmt.Sprintf("maxPoolSize=%d", c.MaxPoolSize), "# in the MongoDB connection string")
	g.Add(fmt.Sprintf("MaxConnsPerHost: %d,", c.MaxConnsPerHost), "// in Go's http.Transport; MaxIdleConnsPerHost as well")
	if open := c.Open; open > 0 {
		g.Add(fmt.Sprintf("ulimit -n %d", c.NoFile), fmt.Sprintf("# with these %d may be open, %.0f %% of it", open, 100*float64(open)/float64(c.NoFile)))
	}
	p.Line("")
	for _, l := range g.Lines() {
		p.Line("  " + l)
	}
}
