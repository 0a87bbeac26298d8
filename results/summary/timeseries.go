package summary

import (
	"cmp"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/leak"
	"floodgate/results/stats"
)

// TimeSeries is what the series of one trial of a service says, up to the end of
// the load and up to when a descriptor was refused for the first time.
type TimeSeries struct {
	// Samples of descriptors and reports, until the first refusal or the end of
	// the series.
	Samples []leak.Sample
	// Items are the same samples with the items in flight, fetched or written,
	// in place of the reports.
	Items []leak.Sample
	// Exhausted is the first refusal; nil: there was none.
	Exhausted *Exhausted

	series results.Series
	end    int // index of the first refusal or the end of the load
}

// Exhausted is the moment at which a trial ran out of descriptors.
type Exhausted struct {
	// At is the time since the service began to serve.
	At time.Duration `json:"at_ns"`
	// Report is how many reports had come until then.
	Report int `json:"report"`
	// Rate is how many came a second, over the second before.
	Rate float64 `json:"rate"`
	// Side is where it was refused first: upstream, mongo, accept; of several
	// in one sample the one with the most refusals.
	Side string `json:"side"`
}

// sides are where descriptors are refused, in the order that decides a tie.
var sides = []string{"upstream", "mongo", "accept"}

// NewTimeSeries reads a series; the load lasts for the given time.
func NewTimeSeries(s results.Series, load time.Duration) *TimeSeries {
	c := &TimeSeries{series: s, end: len(s.At)}
	for i := range s.At {
		at := s.Time(i)
		if at > load {
			c.end = min(c.end, i)
		}
		if s.Value(results.ColumnRefused, i) > 0 {
			c.Exhausted = c.exhausted(i, at)
			c.end = min(c.end, i)
			return c
		}
		if n := s.Value(results.ColumnDescriptors, i); n > 0 { // else it was not seen
			sample := leak.Sample{
				At: at, Descriptors: float64(n), InFlight: float64(s.Value(results.ColumnReportsInFlight, i)),
				Completed: float64(s.Value(results.ColumnDone, i) + s.Value(results.ColumnFailed, i)),
			}
			c.Samples = append(c.Samples, sample)
			sample.InFlight = float64(s.Value(results.ColumnItemsFetching, i) + s.Value(results.ColumnItemsWriting, i))
			c.Items = append(c.Items, sample)
		}
	}
	return c
}

func (c *TimeSeries) exhausted(i int, at time.Duration) *Exhausted {
	came := func(i int) int64 {
		return c.series.Value(results.ColumnArrived, i) + c.series.Value(results.ColumnShed, i)
	}
	e := &Exhausted{At: at, Report: int(came(i))}
	before := i
	for before > 0 && c.series.At[i]-c.series.At[before] < 1000 {
		before--
	}
	if ms := c.series.At[i] - c.series.At[before]; ms > 0 {
		e.Rate = float64(came(i)-came(before)) / float64(ms) * 1000
	}
	var most int64
	for _, side := range sides {
		if n := c.series.Value(results.RefusedAt(side), i); n > most {
			e.Side, most = side, n
		}
	}
	return e
}

// Change is how a column went on over the load.
type Change struct {
	// From and To are its medians over the first and the last third.
	From, To float64
	// Climbs says that it grew: nine tenths of the last third lie above nine
	// tenths of the first, and its median is a fifth higher at least.
	Climbs bool
}

// minCourse is the least number of samples whose thirds say anything: ten each.
const minCourse = 30

// Change of a column; false: there are too few samples.
func (c *TimeSeries) Change(column results.Column) (Change, bool) {
	if c.end < minCourse {
		return Change{}, false
	}
	values := make([]float64, c.end)
	for i := range values {
		values[i] = float64(c.series.Value(column, i))
	}
	first, last := values[:c.end/3], values[c.end-c.end/3:]
	ch := Change{From: stats.Median(first), To: stats.Median(last)}
	ch.Climbs = tenth(last, 1) > tenth(first, 9) && ch.To >= 1.2*ch.From
	return ch, true
}

// tenth is the value that k tenths of the values do not exceed.
func tenth(values []float64, k int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*k/10]
}

// PredictExhaustion is when the limit would be reached, as the samples until half of it
// was open let it be predicted; false: they do not tell.
func (c *TimeSeries) PredictExhaustion(limit int, seed uint64) (time.Duration, bool) {
	known := c.Samples
	for i, s := range known {
		if s.Descriptors > float64(limit)/2 {
			known = known[:i]
			break
		}
	}
	fit, err := leak.Regress(known, Confidence, seed)
	if err != nil {
		return 0, false
	}
	return fit.HitAt(limit)
}

// grows is the kind of descriptor whose number grows most with what the cause
// says, and by how many a report; empty: none does by a tenth.
func (c *TimeSeries) grows(cause leak.Cause, seed uint64) (kind string, by float64) {
	kinds := []struct {
		name  string
		count func(i int) int64
	}{
		{"open connections to the upstream", func(i int) int64 { return c.series.Value(results.ColumnUpstreamOpen, i) }},
		{"connections to the upstream being opened", func(i int) int64 { return c.series.Value(results.ColumnUpstreamConnecting, i) }},
		{"connections of the driver's pool", func(i int) int64 {
			return c.series.Value(results.ColumnMongoInUse, i) + c.series.Value(results.ColumnMongoIdle, i)
		}},
		{"connections of the driver outside its pool", func(i int) int64 {
			return c.series.Value(results.ColumnMongoConnecting, i) + c.series.Value(results.ColumnMongoOpen, i) - c.series.Value(results.ColumnMongoInUse, i) - c.series.Value(results.ColumnMongoIdle, i)
		}},
		{"connections of clients", func(i int) int64 { return c.series.Value(results.ColumnAccepted, i) }},
	}
	for _, k := range kinds {
		samples := make([]leak.Sample, len(c.Samples))
		for i, s := range c.Samples {
			s.Descriptors = float64(k.count(i))
			samples[i] = s
		}
		fit, err := leak.Regress(samples, Confidence, seed)
		if err != nil {
			continue
		}
		coefficient := cmp.Or(fit.PerCompleted, &stats.Interval{})
		if cause == leak.Load {
			coefficient = cmp.Or(fit.PerInFlight, &stats.Interval{})
		}
		if coefficient.Low > 0 && coefficient.Estimate >= max(by, leak.MinCoefficient) {
			kind, by = k.name, coefficient.Estimate
		}
	}
	return kind, by
}
