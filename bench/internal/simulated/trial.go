package simulated

import (
	"math"
	"net/http"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/bench/experiment"
	"floodgate/bench/load"
	"floodgate/results"
	"floodgate/scenarios/pipeline/recorder"
)

const (
	// tick is the interval between samples of the time series.
	tick = 100 * time.Millisecond
	// turnedAway is the response time of a rejected report.
	turnedAway = 100 * time.Microsecond
	// baseline is the number of descriptors of a service without clients, perSlot that of
	// an item in a slot, and monitors that of the database driver's monitors.
	baseline, perSlot, monitors = 8, 2, 2
)

// serviceTrial is a trial that is simulated on virtual time.
type serviceTrial struct {
	service        *Service
	planned        experiment.ScheduledTrial
	slots, waiting int
	items          []item
	reports        []report
	shed           []time.Duration
	recorder       *load.Recorder
}

// item holds the times at which an item was due, acquired a slot, was fetched, and was written.
type item struct{ due, start, fetched, end time.Duration }

// report is an admitted report.
type report struct {
	due, end time.Duration
	items    int
}

func newServiceTrial(s *Service, t experiment.ScheduledTrial) *serviceTrial {
	c := &serviceTrial{service: s, planned: t, recorder: load.NewRecorder()}
	c.slots, c.waiting = slotsOf(t.Variant)
	return c
}

// arrive simulates the arrival of a report. All items take equally long and start in their
// order, so they also end in it: with n slots, an item gets its slot when the item n
// positions earlier ends. The same holds for workers.
func (c *serviceTrial) arrive(due time.Duration) {
	c.recorder.Due(load.Due{Intended: due})
	service := c.planned.Level.Scenario.Service
	ended := load.Ended{Intended: due, Begun: due, Code: http.StatusOK}
	items := max(1, service.ReportItems) // of an HTTP service none
	if c.waiting < math.MaxInt && c.outstanding(due)+items > c.slots+c.waiting {
		c.shed = append(c.shed, due)
		ended.At, ended.Code, ended.Error = due+turnedAway, http.StatusServiceUnavailable, "http_5xx"
		c.recorder.Ended(ended)
		return
	}
	for range items {
		i := item{due: due, start: due}
		if n := len(c.items) - c.slots; n >= 0 {
			i.start = max(i.start, c.items[n].end)
		}
		i.fetched = i.start
		if n := len(c.items) - c.service.Workers; n >= 0 {
			i.fetched = max(i.fetched, c.items[n].fetched)
		}
		i.fetched += c.service.Fetch
		i.end = i.fetched + c.service.Write
		c.items = append(c.items, i)
	}
	r := report{due: due, end: c.items[len(c.items)-1].end, items: items}
	c.reports = append(c.reports, r)
	ended.At = r.end
	if timeout := time.Duration(service.Timeout); r.end-due > timeout {
		ended.At, ended.Code, ended.Error = due+timeout, 0, "timeout"
	}
	c.recorder.Ended(ended)
}

// outstanding returns the number of items of admitted reports that are not answered.
func (c *serviceTrial) outstanding(at time.Duration) (items int) {
	for _, r := range c.reports {
		if r.due <= at && at < r.end {
			items += r.items
		}
	}
	return items
}

// record returns the record of the trial, like that of a real service.
func (c *serviceTrial) record() (results.Trial, error) {
	t := c.planned
	done, left := len(c.items), 0
	record := results.Trial{
		Index: t.Index, Block: t.Block, Variant: t.Variant.Name, Level: t.Level.Factors, LevelName: t.Level.Name,
		Items: done, Seed: t.Seed, Started: time.Unix(int64(c.service.tries), 0).UTC(), Outcome: results.OutcomeOK, ItemsDone: &done,
		Documents: &results.Documents{Expected: done, Found: done},
		Upstream:  &results.UpstreamStats{Requests: done},
	}
	var err error
	if record.Service, err = c.recorder.Summary(); err != nil {
		return record, err
	}
	record.Service.Recovered, record.Service.Series = true, c.series()
	peak := baseline
	for _, n := range record.Service.Series.Columns[results.ColumnDescriptors] {
		peak = max(peak, int(n))
	}
	record.Descriptors = results.Descriptors{Baseline: baseline, Peak: peak, Leaked: &left, Samples: len(record.Service.Series.At)}
	if t.Level.Scenario.IsHTTPService() { // its inside is not seen
		record.ItemsDone, record.Documents, record.Upstream, record.Descriptors.Leaked = nil, nil, nil, nil
		return record, nil
	}
	record.Stages, err = c.stages()
	return record, err
}

// stages returns the histograms of the items' stages.
func (c *serviceTrial) stages() (map[string]results.Histogram, error) {
	stages := map[string]results.Histogram{}
	if len(c.items) == 0 {
		return stages, nil
	}
	for name, took := range map[string]func(item) time.Duration{
		"queue": func(i item) time.Duration { return i.start - i.due },
		"fetch": func(i item) time.Duration { return i.fetched - i.start },
		"write": func(i item) time.Duration { return i.end - i.fetched },
		"item":  func(i item) time.Duration { return i.end - i.start },
	} {
		h := hdrhistogram.New(recorder.Lowest, recorder.Highest, recorder.SignificantFigures)
		for _, i := range c.items {
			_ = h.RecordValue(min(int64(took(i)), recorder.Highest)) // never fails: the value is in range
		}
		var err error
		if stages[name], err = results.NewHistogram(h); err != nil {
			return nil, err
		}
	}
	return stages, nil
}

// series samples the service every tick until nothing is in flight.
func (c *serviceTrial) series() results.Series {
	last := time.Duration(c.planned.Level.Scenario.Service.Duration)
	for _, r := range c.reports {
		last = max(last, r.end)
	}
	var s results.Series
	opened := 0
	for at := tick; at <= last+tick; at += tick {
		values := c.sample(at)
		opened = max(opened, int(values[results.ColumnSlotsInUse])) // connections stay open
		values[results.ColumnUpstreamOpen], values[results.ColumnMongoOpen] = int64(opened), int64(opened+monitors)
		values[results.ColumnDescriptors] = int64(baseline + perSlot*opened + monitors)
		s.Append(at, values)
	}
	return s
}

// sample returns the state of the service at one moment.
func (c *serviceTrial) sample(at time.Duration) map[results.Column]int64 {
	values := map[results.Column]int64{}
	for _, due := range c.shed {
		if due <= at {
			values[results.ColumnShed]++
		}
	}
	for _, r := range c.reports {
		switch {
		case r.due > at:
			continue
		case r.end <= at:
			values[results.ColumnDone]++
		default:
			values[results.ColumnReportsInFlight]++
			values[results.ColumnItemsOutstanding] += int64(r.items)
		}
		values[results.ColumnArrived]++
	}
	for _, i := range c.items {
		switch {
		case at < i.start || at >= i.end:
			continue
		case at < i.fetched:
			values[results.ColumnItemsFetching]++
		default:
			values[results.ColumnItemsWriting]++
		}
		values[results.ColumnSlotsInUse]++
	}
	if c.slots < math.MaxInt {
		values[results.ColumnSlotLimit] = int64(c.slots)
	}
	return values
}
