package capacity

import (
	"fmt"
	"math"
	"slices"

	"floodgate/results/stats"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Reach compares the throughput of a limit with that of the limit with the highest one, in
// the blocks that have trials of both, or of an HTTP service with the arrivals of the same
// trials.
type Reach struct {
	// Decision is [verdict.NotWorse] if the required share is reached, [verdict.Worse] if
	// it is not, [verdict.Open] if more blocks are to follow, and [verdict.Undecided] if
	// there are no more.
	Decision verdict.Word `json:"verdict"`
	// Share is the interval of the share, at the level of one interim analysis. Its N is
	// the number of blocks that decided; 0 means that there are too few.
	Share stats.Interval `json:"share"`
	// Next is the number of blocks at the next interim analysis; zero means none.
	Next int `json:"next,omitempty"`
	// Blocks is the number of blocks with both limits, or of trials of an HTTP service.
	Blocks int `json:"blocks"`
	// Estimate is the share by all trials: of the highest throughput, adjusted for the
	// blocks that each limit ran in, or of the arrivals, in the median.
	Estimate float64 `json:"estimate"`
	// More is about the number of further blocks that would decide; zero means that it
	// is decided, or that no number of blocks is likely to.
	More int `json:"more,omitempty"`
}

// reachAnalyses are the interim analyses of a comparison with the highest throughput. On
// recorded noise, where the log-ratios of pairs have a standard deviation of 8.5 % with
// outliers, 500 simulated searches each find a limit of 97 % of the highest in at least
// 95 % and recommend one of 90 % in none (TestReachOnRecordedNoise). The analyses of a gate,
// which end after 40 pairs, find the former in 70 to 90 %.
var reachAnalyses = []int{MinReachBlocks, 20, 50, MaxReachBlocks}

// MinReachBlocks and MaxReachBlocks are the numbers of blocks at the first and the last
// interim analysis.
const (
	MinReachBlocks = 8
	MaxReachBlocks = 100
)

// reachDesign returns the design that decides whether a share of throughput is reached: the
// chance that a lower share is said to reach it is at most half of its alpha.
func reachDesign(share float64) stats.Design {
	d := stats.DefaultDesign()
	d.At, d.Margin = slices.Clone(reachAnalyses), 1/share-1
	return d
}

// fallsClearlyShort is a share of the highest throughput, by the estimate, below which a
// limit is not compared in further blocks: it is far from the required share.
const fallsClearlyShort = 0.85

// compareThroughput sets the reach of every point, given the one of the highest throughput.
// In a closed loop that one has none: it is what the others are compared with.
func (l *Limits) compareThroughput(best *LimitPoint, effects map[int]float64) {
	for i := range l.Points {
		p := &l.Points[i]
		p.Reach = nil
		if best == nil || p.Throughput == nil || p.Limit == best.Limit && l.Rate == 0 {
			continue
		}
		var r Reach
		if l.Rate > 0 {
			short := shortfallsOfArrivals(*p)
			r = l.reach(short)
			r.Estimate = math.Exp(-stats.Median(short))
		} else {
			r = l.reach(shortfalls(*p, *best))
			r.Estimate = math.Exp(effects[p.Limit] - effects[best.Limit])
		}
		p.Reach = &r
	}
}

// reach decides whether the required share is reached, given the logarithms of the ratios
// of the whole to the reached throughput.
func (l *Limits) reach(d []float64) Reach {
	design := l.Terms.Analyses
	judge := design.Judge
	if l.Sampled || !l.Finished() {
		judge = design.Conclude
	}
	r := Reach{Blocks: len(d), Decision: verdict.Undecided}
	a, err := judge(d)
	if err != nil { // of a stored plan without analyses
		return r
	}
	r.Decision, r.Next = a.Decision, a.Next
	if i := a.Ratio; i.Low > 0 {
		r.Share = stats.Interval{Estimate: 1 / i.Estimate, Low: 1 / i.High, High: 1 / i.Low, Level: i.Level, Achieved: i.Achieved, N: i.N}
	}
	if a.Decision == verdict.Open || a.Decision == verdict.Undecided {
		r.More, _ = design.Further(d)
	}
	return r
}

// shortfalls returns the logarithms of the ratio of the throughput of q to that of p, in
// each block with trials of both.
func shortfalls(p, q LimitPoint) (d []float64) {
	other := map[int]float64{}
	for _, r := range q.Runs {
		other[r.Block] = r.Throughput
	}
	for _, r := range p.Runs {
		if full := other[r.Block]; full > 0 && r.Throughput > 0 {
			d = append(d, math.Log(full/r.Throughput))
		}
	}
	return d
}

// shortfallsOfArrivals returns the logarithms of the ratio of arrived to completed requests
// in each trial of an HTTP service.
func shortfallsOfArrivals(p LimitPoint) (d []float64) {
	for _, r := range p.Runs {
		if r.Offered > 0 && r.Throughput > 0 {
			d = append(d, math.Log(r.Offered/r.Throughput))
		}
	}
	return d
}

// polishSteps bounds the steps until the medians settle. It usually takes three; where few
// blocks have trials of several limits, each step may only halve what is left.
const polishSteps = 500

// effects returns the logarithms of the throughput of each limit, adjusted for the blocks
// that it ran in, up to a common constant: in each block, all limits gain or lose by the
// state of the machine. It is Tukey's median polish of an incomplete table (J. W. Tukey,
// Exploratory Data Analysis, 1977).
func (l *Limits) effects() map[int]float64 {
	limits, blocks := map[int]float64{}, map[int]float64{}
	for range polishSteps {
		byLimit, byBlock := map[int][]float64{}, map[int][]float64{}
		l.eachRun(func(limit, block int, log float64) { byLimit[limit] = append(byLimit[limit], log-blocks[block]) })
		settled := setMedians(limits, byLimit)
		l.eachRun(func(limit, block int, log float64) { byBlock[block] = append(byBlock[block], log-limits[limit]) })
		if setMedians(blocks, byBlock); settled {
			break
		}
	}
	return limits
}

// eachRun calls f with the logarithm of the throughput of each trial.
func (l *Limits) eachRun(f func(limit, block int, log float64)) {
	for _, p := range l.Points {
		for _, r := range p.Runs {
			if r.Throughput > 0 {
				f(p.Limit, r.Block, math.Log(r.Throughput))
			}
		}
	}
}

// setMedians sets the median of each group, and reports whether they were set before.
func setMedians(medians map[int]float64, groups map[int][]float64) (same bool) {
	same = true
	for key, values := range groups {
		m := stats.Median(values)
		before, known := medians[key]
		same = same && known && math.Abs(m-before) < 1e-12
		medians[key] = m
	}
	return same
}

// reached returns, for each point, whether it has the required throughput: it was decided
// so, and so it was for every limit between it and the one of the highest throughput. By
// this order of tests, the chance that any lower share is said to suffice stays that of
// one test (a fixed sequence; P. H. Westfall and A. Krishen, Optimally weighted, fixed
// sequence and gatekeeper multiple testing procedures, J. Statistical Planning and
// Inference 99, 2001).
func (l *Limits) reached(best *LimitPoint) []bool {
	all := make([]bool, len(l.Points))
	at := slices.IndexFunc(l.Points, func(p LimitPoint) bool { return best != nil && p.Limit == best.Limit })
	suffices := func(p LimitPoint) bool {
		return p.Throughput != nil && (p.Reach == nil || p.Reach.Decision == verdict.NotWorse)
	}
	for i := at; i >= 0 && suffices(l.Points[i]); i-- {
		all[i] = true
	}
	for i := at; i >= 0 && i < len(l.Points) && suffices(l.Points[i]); i++ {
		all[i] = true
	}
	return all
}

// Wanted returns the limits that further blocks may show to suffice, with the limit of the
// highest throughput, and the number of blocks until the next interim analysis. No limits
// mean that there is nothing to decide: only limits below the highest one are worth it, down
// to one that falls short; one that violates another requirement is only worth it if it is
// between the highest one and a limit that does not.
func (l *Limits) Wanted() (limits []int, blocks int) {
	if l.Recommendation == nil {
		return nil, 0
	}
	var between []LimitPoint // open, but they cannot be recommended themselves
	want := func(p LimitPoint) {
		limits = append(limits, p.Limit)
		if n := max(1, p.Reach.Next-p.Reach.Blocks); blocks == 0 || n < blocks {
			blocks = n
		}
	}
	for _, p := range slices.Backward(l.Points) {
		if p.Limit > l.Recommendation.Peak || p.Throughput == nil {
			continue
		}
		open := p.Reach != nil && p.Reach.Decision != verdict.NotWorse
		if open && (p.Reach.Decision != verdict.Open || p.Reach.Estimate < fallsClearlyShort && l.Rate == 0) {
			break
		}
		switch acceptable := len(l.constraints(p)) == 0; {
		case acceptable:
			for _, q := range between {
				want(q)
			}
			if between = nil; open {
				want(p)
			}
		case open:
			between = append(between, p)
		}
	}
	return l.withHighest(limits), blocks
}

// withHighest adds the limit of the highest throughput to limits that are compared with it,
// and sorts them.
func (l *Limits) withHighest(limits []int) []int {
	if limits != nil && l.Rate == 0 {
		limits = append(limits, l.Recommendation.Peak)
	}
	slices.Sort(limits)
	return limits
}

// shortfall describes why a point does not have the required throughput, given the limit of
// the highest one.
func (l *Limits) shortfall(p LimitPoint, highest int) string {
	r, required := p.Reach, share(l.Terms.Reach)
	of := "the highest"
	if l.Rate > 0 {
		of = "the requests that arrive"
	}
	switch {
	case r == nil || r.Decision == verdict.NotWorse:
		return fmt.Sprintf("a limit between it and %d does not reach %s of %s", highest, required, of)
	case r.Decision == verdict.Worse:
		return fmt.Sprintf("throughput at most %s of %s, less than %s", share(r.Share.High), of, required)
	case r.Share.Low > 0:
		return fmt.Sprintf("whether it reaches %s of %s is not decided: %s to %s%s", required, of, share(r.Share.Low), share(r.Share.High), r.needs())
	}
	return fmt.Sprintf("throughput about %s of %s, compared in only %s", share(r.Estimate), of, text.Plural(r.Blocks, "block", "blocks"))
}

// Undecided reports whether enough blocks were compared, without a decision.
func (p LimitPoint) Undecided() bool {
	r := p.Reach
	return r != nil && r.Share.Low > 0 && (r.Decision == verdict.Open || r.Decision == verdict.Undecided)
}

// needs returns about how many further blocks would decide.
func (r Reach) needs() string {
	if r.More == 0 {
		return ""
	}
	return fmt.Sprintf(" (needs about %s more)", text.Plural(r.More, "block", "blocks"))
}
