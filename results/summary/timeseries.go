package summary

import (
	"cmp"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/leak"
	"floodgate/results/stats"
)

// TimeSeries is the time series of one trial of a service.
type TimeSeries struct {
	// Samples holds the descriptors and reports until the first refusal of a
	// descriptor or the end of the series, without times at which the descriptors
	// were not observed.
	Samples []leak.Sample
	// Items holds the same samples with the items in flight (fetched or written)
	// instead of the reports.
	Items []leak.Sample
	// Exhausted is the first refusal; nil means that there was none.
	Exhausted *Exhausted

	series  results.Series
	indexes []int // of Samples in series
	end     int   // index of the first refusal or the end of the load
}

// Exhausted is the moment at which a trial ran out of descriptors.
type Exhausted struct {
	// At is the time since the service began to serve.
	At time.Duration `json:"at_ns"`
	// Report is the number of reports that had arrived until then.
	Report int `json:"report"`
	// Rate is the number of arrivals per second, over the second before.
	Rate float64 `json:"rate"`
	// Side is where a descriptor was refused first: upstream, mongo or accept. Of
	// several in one sample it is the one with the most refusals.
	Side string `json:"side"`
}

// sides lists where descriptors are refused; the first one wins a tie.
var sides = []string{"upstream", "mongo", "accept"}

// NewTimeSeries evaluates a series whose load lasts for the given time. Descriptors of the
// load generator's own connections do not count where [results.ColumnOwnDescriptors] or,
// in older records, [results.ColumnClients] shows them: how many it keeps depends on the
// most requests that were ever in flight, so that they would look like a leak.
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
		if n := observed(s, i); n > 0 {
			c.indexes = append(c.indexes, i)
			sample := leak.Sample{
				At: at, Descriptors: float64(n), InFlight: float64(s.Value(results.ColumnReportsInFlight, i)),
				Completed: float64(s.Value(results.ColumnDone, i) + s.Value(results.ColumnFailed, i)),
				Peak:      float64(s.Value(results.ColumnPeakInFlight, i)),
			}
			c.Samples = append(c.Samples, sample)
			sample.Peak = 0 // of items it is unknown
			sample.InFlight = float64(s.Value(results.ColumnItemsFetching, i) + s.Value(results.ColumnItemsWriting, i))
			c.Items = append(c.Items, sample)
		}
	}
	return c
}

// observed returns the descriptors of a sample without those of clients; zero means that
// they were not observed.
func observed(s results.Series, i int) int64 {
	if s.Known(results.ColumnOwnDescriptors, i) {
		return s.Value(results.ColumnOwnDescriptors, i)
	}
	return s.Value(results.ColumnDescriptors, i) - s.Value(results.ColumnClients, i)
}

func (c *TimeSeries) exhausted(i int, at time.Duration) *Exhausted {
	arrived := func(i int) int64 {
		return c.series.Value(results.ColumnArrived, i) + c.series.Value(results.ColumnShed, i)
	}
	e := &Exhausted{At: at, Report: int(arrived(i))}
	before := i
	for before > 0 && c.series.At[i]-c.series.At[before] < 1000 {
		before--
	}
	if ms := c.series.At[i] - c.series.At[before]; ms > 0 {
		e.Rate = float64(arrived(i)-arrived(before)) / float64(ms) * 1000
	}
	var most int64
	for _, side := range sides {
		if n := c.series.Value(results.RefusedAt(side), i); n > most {
			e.Side, most = side, n
		}
	}
	return e
}

// Known reports whether the column was measured.
func (c *TimeSeries) Known(column results.Column) bool { return len(c.series.Columns[column]) > 0 }

// Change is the change of a column during the load.
type Change struct {
	// From and To are its medians over the first and the last third.
	From, To float64
	// Climbs reports that it grew: nine tenths of the last third lie above nine
	// tenths of the first, and the median is at least 20 % higher.
	Climbs bool
}

// minSamples is the smallest number of samples for [TimeSeries.Change], ten in
// each third.
const minSamples = 30

// Change returns the change of a column, or false if there are too few samples or the
// column was not measured.
func (c *TimeSeries) Change(column results.Column) (Change, bool) {
	if c.end < minSamples || !c.Known(column) {
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

// tenth returns the value that k tenths of the values do not exceed.
func tenth(values []float64, k int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*k/10]
}

// PredictExhaustion predicts when the limit is reached, from the samples until
// half of it was in use. It returns false if they do not show a growth.
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

// grows returns the kind of descriptors that grows most with the completed
// reports or, if the cause is load, with those in flight, and its growth per
// report. The kind is empty if none grows by at least [leak.MinCoefficient].
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
			s.Descriptors = float64(k.count(c.indexes[i]))
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
