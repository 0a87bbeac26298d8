package leak

import (
	"math"
	"time"

	"floodgate/results/stats"
)

// Observation is one sample of a process under somebody else's load.
type Observation struct {
	At          time.Duration
	Descriptors float64
	// InProgress counts the requests in progress, or bounds them from above.
	InProgress float64
}

// Growth is how descriptors grow over time, apart from those that requests in
// progress hold:
//
//	descriptors ≈ base + perInProgress · requests in progress + perMinute · minutes
//
// The interval of PerMinute comes from the means of ten consecutive batches
// of observations, by a straight line through them and Student's t. Observations a
// second apart depend on each other, and an interval from all of them would be
// far too narrow: pools and caches rise and fall over minutes, which is not a leak.
// Means of batches hardly depend on each other if what makes the descriptors rise
// and fall takes less than a tenth of the watch (A. M. Law, W. D. Kelton,
// Simulation Modeling and Analysis, on batch means). It is widened by the
// uncertainty of PerInProgress where the load has a trend.
type Growth struct {
	// Cause is the verdict; Why explains one that is inconclusive.
	Cause Cause  `json:"cause"`
	Why   string `json:"why,omitempty"`
	// Longer is how much longer to watch for a verdict; zero where that is unknown
	// or there is one.
	Longer time.Duration `json:"longer_ns,omitempty"`
	// PerMinute is nil if there were too few observations.
	PerMinute *stats.Interval `json:"descriptors_per_minute,omitempty"`
	// PerInProgress is nil if requests in progress hardly varied, or not on their
	// own.
	PerInProgress *stats.Interval `json:"descriptors_per_request,omitempty"`
	// Now is the number of descriptors at the end, by the line.
	Now float64 `json:"descriptors_now"`
	// N is the number of observations.
	N int `json:"samples"`
}

const (
	batches = 10
	// MinObservations is the least number of observations for a verdict: three a batch.
	MinObservations = 3 * batches
	// student is the 97.5 % quantile of Student's t with eight degrees of freedom:
	// ten batches without the two parameters of a line.
	student = 2.306
	// normal is that of the normal distribution.
	normal = 1.96
	// leastGrowth in descriptors over the watch: fewer are a log file that was
	// opened or a pool that took one more.
	leastGrowth = 3
	// steady is the least share of the growth that each part of the samples must have
	// for its growth to count as going on: a pool that is filled once is not a leak.
	steady = 1.0 / 3
	level  = 0.95
)

// EstimateGrowth judges observations in the order of time. One seed gives one result.
//
// Work that is measured imprecisely explains less than it causes. So while the
// load grows, growth counts as a leak only if it is faster than in proportion
// to the load.
func EstimateGrowth(seen []Observation, seed uint64) Growth {
	g := Growth{Cause: Undecided, N: len(seen)}
	if len(seen) < MinObservations {
		g.Why = "the watch was too short"
		if len(seen) > 1 {
			each := (seen[len(seen)-1].At - seen[0].At) / time.Duration(len(seen)-1)
			g.Longer = time.Duration(MinObservations-len(seen)) * each
		}
		return g
	}
	span := seen[len(seen)-1].At - seen[0].At
	held, uncertain := g.hold(seen, seed)
	descriptors := means(seen, func(s Observation) float64 { return s.Descriptors - held*s.InProgress })
	load := through(means(seen, func(s Observation) float64 { return s.InProgress }))
	line := through(descriptors)
	last := len(seen) - 1
	g.Now = line.at(seen[last].At.Seconds()) + held*load.at(seen[last].At.Seconds())
	half := student * math.Hypot(line.uncertain, uncertain*load.slope)
	g.PerMinute = &stats.Interval{
		Estimate: 60 * line.slope, Low: 60 * (line.slope - half), High: 60 * (line.slope + half), Level: level, Achieved: level, N: batches,
	}
	loads := g.PerInProgress != nil && g.PerInProgress.Low > 0 && g.PerInProgress.Estimate >= MinCoefficient
	grown := line.slope * span.Seconds()
	switch {
	case line.slope-half <= 0 || grown < leastGrowth:
		if g.Cause = Neither; loads {
			g.Cause = Load
		}
	case through(descriptors[:batches/2]).slope < steady*line.slope || through(descriptors[batches/2:]).slope < steady*line.slope:
		g.Why, g.Longer = "descriptors grew, but not throughout the watch", span
	case line.slope-half <= explained(line, load, held, seen[0].At.Seconds()):
		g.Why, g.Longer = "the load grew as well, and may explain the growth; watch while the load is steady", span
	case loads:
		g.Cause = Both
	default:
		g.Cause = Leak
	}
	return g
}

// hold estimates how many descriptors a request in progress holds, and how
// uncertain that is; zero where the observations do not tell.
func (g *Growth) hold(seen []Observation, seed uint64) (held, uncertain float64) {
	samples := make([]Sample, len(seen))
	for i, s := range seen { // seconds are what is completed
		samples[i] = Sample{At: s.At, Descriptors: s.Descriptors, InFlight: s.InProgress, Completed: s.At.Seconds()}
	}
	f, _ := fit(samples)
	if f == nil {
		return 0, 0
	}
	f.intervals(level, seed)
	g.PerInProgress = f.PerInFlight
	if i := f.PerInFlight; i != nil && i.Low > 0 {
		return i.Estimate, (i.High - i.Low) / (2 * normal)
	}
	return 0, 0
}

// explained is the growth a second that the load may explain beyond what held
// descriptors a request do: none unless the load grew, else in proportion to it.
func explained(descriptors, load line, held, start float64) float64 {
	if load.slope-student*load.uncertain <= 0 {
		return 0
	}
	began := max(1, load.at(start))
	share := (descriptors.at(start) + held*began) / began
	return max(0, share-held) * load.slope
}

// mean of a batch.
type mean struct{ at, value float64 }

// means returns the means of ten consecutive batches of observations.
func means(seen []Observation, of func(Observation) float64) []mean {
	all := make([]mean, batches)
	for i := range all {
		batch := seen[i*len(seen)/batches : (i+1)*len(seen)/batches]
		for _, s := range batch {
			all[i].at += s.At.Seconds() / float64(len(batch))
			all[i].value += of(s) / float64(len(batch))
		}
	}
	return all
}

// line is a straight line of least squares; uncertain is the standard error of its
// slope.
type line struct{ middle, height, slope, uncertain float64 }

func (l line) at(x float64) float64 { return l.height + l.slope*(x-l.middle) }

func through(points []mean) line {
	n := float64(len(points))
	var l line
	for _, p := range points {
		l.middle, l.height = l.middle+p.at/n, l.height+p.value/n
	}
	var xx, xy, rest float64
	for _, p := range points {
		x := p.at - l.middle
		xx, xy = xx+x*x, xy+x*(p.value-l.height)
	}
	if xx == 0 {
		return l
	}
	l.slope = xy / xx
	for _, p := range points {
		r := p.value - l.at(p.at)
		rest += r * r
	}
	l.uncertain = math.Sqrt(rest / (n - 2) / xx)
	return l
}

// Exhaustion is the time until a limit is reached, from the last observation.
type Exhaustion struct {
	In time.Duration `json:"in_ns"`
	// Low and High bound it with the confidence of the growth.
	Low  time.Duration `json:"low_ns"`
	High time.Duration `json:"high_ns"`
}

// PredictExhaustion returns when the limit is reached if the load stays and the leak goes
// on; false means that it is not a leak, or that it takes longer than ten years.
func (g Growth) PredictExhaustion(limit float64) (Exhaustion, bool) {
	if g.Cause != Leak && g.Cause != Both {
		return Exhaustion{}, false
	}
	after := func(perMinute float64) time.Duration {
		const tenYears = 10 * 365 * 24 * 60
		return time.Duration(min(max(0, limit-g.Now)/perMinute, tenYears) * float64(time.Minute))
	}
	f := Exhaustion{In: after(g.PerMinute.Estimate), Low: after(g.PerMinute.High), High: after(g.PerMinute.Low)}
	return f, f.In < after(0)
}
