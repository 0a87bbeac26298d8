package baseline

import (
	"math"
	"slices"
	"strconv"

	"floodgate/results/stats"
)

// Names of the metrics, as rows of a comparison have them.
const (
	MetricMakespan    = "makespan"
	MetricReduction   = "reduction"
	MetricEfficiency  = "efficiency"
	MetricItemP50     = "item p50"
	MetricItemP99     = "item p99"
	MetricResponseP50 = "response p50"
	MetricResponseP99 = "response p99"
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

// Units of values.
const (
	UnitMillis = "ms"
	UnitShare  = "share"
	UnitMiB    = "MiB"
	UnitCount  = "count"
)

// unitOf a metric.
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

// metric with a value a block.
type perBlock struct {
	metric, key, unit string
	// local: it says as much of the machine as of the program.
	local bool
	// rises: more is better.
	rises bool
	list  func(c *Cell) *[]float64
}

// series in the order of the file.
var series = []perBlock{
	{MetricMakespan, "makespan_ms", UnitMillis, true, false, func(c *Cell) *[]float64 { return &c.Makespan }},
	{MetricEfficiency, "efficiency", UnitShare, false, true, func(c *Cell) *[]float64 { return &c.Efficiency }},
	{MetricItemP50, "item_p50_ms", UnitMillis, true, false, func(c *Cell) *[]float64 { return &c.ItemP50 }},
	{MetricItemP99, "item_p99_ms", UnitMillis, true, false, func(c *Cell) *[]float64 { return &c.ItemP99 }},
	{MetricResponseP50, "response_p50_ms", UnitMillis, true, false, func(c *Cell) *[]float64 { return &c.ResponseP50 }},
	{MetricResponseP99, "response_p99_ms", UnitMillis, true, false, func(c *Cell) *[]float64 { return &c.ResponseP99 }},
	{MetricCPU, "cpu_per_item_ms", UnitMillis, true, false, func(c *Cell) *[]float64 { return &c.CPU }},
	{MetricMemory, "memory_mib", UnitMiB, true, false, func(c *Cell) *[]float64 { return &c.Memory }},
	{MetricAllocs, "allocations_per_item", UnitCount, false, false, func(c *Cell) *[]float64 { return &c.Allocs }},
}

// digits that values are rounded to: what is beyond is noise.
const digits = 4

// rounded to the digits that the file has.
func rounded(x float64) float64 {
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64) // what FormatFloat wrote parses
	return x
}

// shares of the cell's makespans in those of base, as logarithms by block. Only
// trials that did the same work make a pair.
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

// failed is how many items failed in the i-th of the cell's trials.
func failed(c *Cell, i int) int {
	if len(c.ItemsFailed) == 0 {
		return 0
	}
	return c.ItemsFailed[i]
}

// reduction of a cell; nil where there is no pair.
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

// cell of the baseline; nil: it has none.
func (b *Baseline) cell(variant, level string) *Cell {
	for i := range b.Cells {
		if b.Cells[i].Variant == variant && b.Cells[i].Level == level {
			return &b.Cells[i]
		}
	}
	return nil
}
