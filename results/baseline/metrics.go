package baseline

import (
	"math"
	"slices"
	"strconv"

	"floodgate/results"
	"floodgate/results/stats"
)

// The names of the metrics in rows of a comparison.
const (
	MetricMakespan    = "makespan"
	MetricReduction   = "reduction"
	MetricEfficiency  = "efficiency"
	MetricItemP50     = "item p50"
	MetricItemP99     = "item p99"
	MetricResponseP50 = "response p50"
	MetricResponseP99 = "response p99"
	MetricFetch       = "fetch"     // mean of the stage
	MetricPoolWait    = "pool wait" // mean of the stage
	MetricWrite       = "write"     // mean of the stage
	MetricCPU         = "CPU per item"
	MetricMemory      = "memory"
	MetricAllocs      = "allocations per item"
	MetricPeak        = "peak descriptors"
	MetricLeaked      = "leaked descriptors"
	MetricUnfinished  = "unfinished trials"
	MetricErrors      = "errors"
	MetricLost        = "lost writes"
	MetricDuplicate   = "duplicate writes"
	MetricCorrupt     = "corrupt writes"
	// MetricCell stands for a variant at a level as a whole.
	MetricCell = "all metrics"
)

// The units of values.
const (
	UnitMillis = "ms"
	UnitShare  = "share"
	UnitMiB    = "MiB"
	UnitCount  = "count"
)

// unitOf returns the unit of a metric.
func unitOf(metric string) string {
	for _, s := range series {
		if s.metric == metric {
			return s.unit
		}
	}
	if metric == MetricReduction {
		return UnitShare
	}
	return UnitCount
}

// perBlock is a metric with one value per block.
type perBlock struct {
	metric, key, unit string
	// of is the group that decides whether it is comparable; zero means always.
	of results.Metrics
	// rises reports that more is better.
	rises bool
	// stage marks the time of a stage, which only explains, even if times decide.
	stage bool
	list  func(c *Cell) *[]float64
}

// series lists the metrics in the order of the file.
var series = []perBlock{
	{MetricMakespan, "makespan_ms", UnitMillis, results.Times, false, false, func(c *Cell) *[]float64 { return &c.Makespan }},
	{MetricEfficiency, "efficiency", UnitShare, 0, true, false, func(c *Cell) *[]float64 { return &c.Efficiency }},
	{MetricItemP50, "item_p50_ms", UnitMillis, results.Times, false, false, func(c *Cell) *[]float64 { return &c.ItemP50 }},
	{MetricItemP99, "item_p99_ms", UnitMillis, results.Times, false, false, func(c *Cell) *[]float64 { return &c.ItemP99 }},
	{MetricResponseP50, "response_p50_ms", UnitMillis, results.Times, false, false, func(c *Cell) *[]float64 { return &c.ResponseP50 }},
	{MetricResponseP99, "response_p99_ms", UnitMillis, results.Times, false, false, func(c *Cell) *[]float64 { return &c.ResponseP99 }},
	{MetricFetch, "fetch_mean_ms", UnitMillis, results.Times, false, true, func(c *Cell) *[]float64 { return &c.Fetch }},
	{MetricPoolWait, "pool_wait_mean_ms", UnitMillis, results.Times, false, true, func(c *Cell) *[]float64 { return &c.PoolWait }},
	{MetricWrite, "write_mean_ms", UnitMillis, results.Times, false, true, func(c *Cell) *[]float64 { return &c.Write }},
	{MetricCPU, "cpu_per_item_ms", UnitMillis, results.CPUTimes, false, false, func(c *Cell) *[]float64 { return &c.CPU }},
	{MetricMemory, "memory_mib", UnitMiB, results.MemorySizes, false, false, func(c *Cell) *[]float64 { return &c.Memory }},
	{MetricAllocs, "allocations_per_item", UnitCount, results.WorkCounts, false, false, func(c *Cell) *[]float64 { return &c.Allocs }},
}

// local reports that the metric depends on the speed or size of the machine, and so is
// advisory.
func (s perBlock) local() bool { return s.of&results.Speed != 0 }

// digits is the number of significant digits in a file; further ones are noise.
const digits = 4

// rounded rounds a value to the digits of a file.
func rounded(x float64) float64 {
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64) // always parses
	return x
}

// shares returns the cell's makespans relative to those of base, as logarithms by
// block. Only trials that did the same work form a pair.
func shares(c, base *Cell) map[int]float64 {
	logs := map[int]float64{}
	if len(c.Makespan) == 0 || len(base.Makespan) == 0 {
		return logs
	}
	for i, block := range c.Blocks {
		if k := slices.Index(base.Blocks, block); k >= 0 && failed(c, i) == failed(base, k) {
			logs[block] = math.Log(c.Makespan[i]) - math.Log(base.Makespan[k])
		}
	}
	return logs
}

// failed returns the number of failed items in the i-th of the cell's trials.
func failed(c *Cell, i int) int {
	if len(c.ItemsFailed) == 0 {
		return 0
	}
	return c.ItemsFailed[i]
}

// reduction returns the reduction of a cell, or nil if there are no pairs.
func reduction(c, base *Cell) *Reduction {
	logs := values(shares(c, base))
	if len(logs) == 0 {
		return nil
	}
	share := func(log float64) float64 { return math.Round((1-math.Exp(log))*1e4) / 1e4 }
	r := &Reduction{Estimate: share(stats.HodgesLehmann(logs))}
	if interval, err := stats.SignedRank(logs, confidence); err == nil {
		r.Low, r.High = new(share(interval.High)), new(share(interval.Low))
	}
	return r
}

// cell returns a cell of the baseline, or nil if it has none.
func (b *Baseline) cell(variant, level string) *Cell {
	for i := range b.Cells {
		if b.Cells[i].Variant == variant && b.Cells[i].Level == level {
			return &b.Cells[i]
		}
	}
	return nil
}
