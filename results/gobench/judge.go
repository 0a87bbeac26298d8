package gobench

import (
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/perf/benchmath"

	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// Judge compares the new file with the old one. Mistakes in the files are [Errors].
func Judge(older, newer Input, o Options) (*Outcome, error) {
	if !(o.Alpha > 0 && o.Alpha < 1) {
		return nil, fmt.Errorf("alpha must be between 0 and 1, such as 0.05 (got %v)", o.Alpha)
	}
	if m := o.Margin; m != nil && (!(*m >= 0) || math.IsInf(*m, 0)) {
		return nil, fmt.Errorf("margin must be at least 0 (got %v)", *m)
	}
	f, err := read([2]Input{older, newer}, o)
	if err != nil {
		return nil, err
	}
	v := &Outcome{
		Old: older.Name, New: newer.Name, Alpha: o.Alpha, Margin: o.Margin, AllowedMixed: o.AllowMixed,
		Processors: f.processors, Interleaved: f.interleaved, Notes: f.notes([2]string{older.Name, newer.Name}, o.Alpha),
		Mixed: append([]string{}, f.mixed...), Units: []Unit{}, Missing: []Only{}, Added: []Only{}, Counts: verdict.Counts{},
	}
	j := &judge{v: v}
	for _, name := range f.units {
		u := Unit{Unit: name, Better: [3]string{"lower", "", "higher"}[1+f.meaning.GetBetter(name)], Rows: []Row{}}
		assume := f.meaning.GetAssumption(name)
		u.Exact = assume == benchmath.AssumeExact
		u.Margin, u.MarginFrom = f.margin(u, o)
		for _, b := range f.benches {
			s := b.samples[name]
			switch {
			case s == nil:
			case len(s[1].values) == 0:
				v.Missing = append(v.Missing, Only{b.pkg, b.name, name})
			case len(s[0].values) == 0:
				v.Added = append(v.Added, Only{b.pkg, b.name, name})
			default:
				u.Rows = append(u.Rows, j.compare(b, s, assume))
			}
		}
		if len(u.Rows) > 0 {
			u.GeoMean = geoMean(u.Rows)
			v.Units = append(v.Units, u)
		}
	}
	if err := j.decide(); err != nil {
		return nil, err
	}
	return v, nil
}

// judge collects p-values and shifts in the order of the rows.
type judge struct {
	v     *Outcome
	p     []float64 // of the tested rows
	shift []int     // of every row
}

func (j *judge) compare(b *bench, s *[2]sample, assume benchmath.Assumption) Row {
	thresholds := benchmath.Thresholds{CompareAlpha: j.v.Alpha}
	older, newer := benchmath.NewSample(s[0].values, &thresholds), benchmath.NewSample(s[1].values, &thresholds)
	row := Row{Package: b.pkg, Benchmark: b.name, Old: sum(older, assume), New: sum(newer, assume), Time: seconds(s[0].time + s[1].time)}
	if row.Old.Median != 0 {
		row.Delta = orNil((row.New.Median - row.Old.Median) / math.Abs(row.Old.Median))
	}
	if row.Old.Median == row.New.Median {
		row.Delta = new(float64)
	}
	j.shift = append(j.shift, shift(older.Values, newer.Values))
	if assume == benchmath.AssumeExact {
		for _, x := range []*benchmath.Sample{older, newer} {
			if low, high := x.Values[0], x.Values[len(x.Values)-1]; low != high {
				row.Why = fmt.Sprintf("declared exact, but it varies from %v to %v", low, high)
			}
		}
		return row
	}
	p := assume.Compare(older, newer).P
	if !(p < 1) {
		p = 1 // with ties, twice a tail may exceed 1
	}
	p = math.Max(p, 0)
	row.P = &p
	j.p = append(j.p, p)
	return row
}

func sum(s *benchmath.Sample, assume benchmath.Assumption) Sample {
	x := assume.Summary(s, 0.95)
	if assume != benchmath.AssumeExact {
		x.Center = stats.Median(s.Values) // the same, but without an overflow
	}
	return Sample{N: len(s.Values), Median: x.Center, Low: orNil(x.Lo), High: orNil(x.Hi)}
}

// shift returns 1 if values of b lie above those of a more often than below, -1 if
// less often, and else 0: the direction of the rank-sum statistic. Both are sorted.
func shift(a, b []float64) int {
	sum := 0
	for _, x := range a {
		below, _ := slices.BinarySearch(b, x)
		upTo, _ := slices.BinarySearch(b, math.Nextafter(x, math.Inf(1)))
		sum += len(b) - upTo - below
	}
	switch {
	case sum > 0:
		return 1
	case sum < 0:
		return -1
	}
	return 0
}

// decide sets the decisions of the rows and of the whole.
func (j *judge) decide() error {
	adjusted, err := stats.Holm(j.p)
	if err != nil {
		return fmt.Errorf("judge benchmarks: %w", err)
	}
	family := newFamily(j.p, j.v.Alpha)
	j.v.Tests = len(j.p)
	var all []verdict.Decision
	tested, i := 0, 0
	for u := range j.v.Units {
		unit := &j.v.Units[u]
		for r := range unit.Rows {
			row := &unit.Rows[r]
			significant := unit.Exact && row.Old.Median != row.New.Median
			if row.P != nil {
				row.Adjusted = &adjusted[tested]
				tested++
				significant = *row.Adjusted <= j.v.Alpha
				if !significant {
					row.Need = family.need(*row.P, row.Old.N, row.New.N)
				}
			}
			j.row(row, unit, j.shift[i], significant)
			j.v.Counts[row.Decision]++
			all = append(all, row.Decision.Decision())
			i++
		}
	}
	if i == 0 { // nothing was compared
		all = append(all, verdict.NotMeasured)
	}
	j.v.Decision = verdict.Overall(all...)
	j.v.Exit = j.v.Decision.ExitCode()
	return nil
}

func (j *judge) row(row *Row, unit *Unit, shift int, significant bool) {
	worse := map[string]int{"lower": 1, "higher": -1}[unit.Better]
	row.Decision = verdict.Undecided
	switch {
	case row.Why != "":
	case row.Need > 0:
		row.Why = fmt.Sprintf("too few samples (%d and %d) for any difference to be significant: at least %d each", row.Old.N, row.New.N, row.Need)
	case !significant:
		row.Decision = verdict.Same
	case worse == 0:
		row.Why = fmt.Sprintf("it differs, but its direction is unknown: declare it with a line such as \"Unit %s better=lower\"", unit.Unit)
	case shift != worse:
		row.Decision = verdict.Better
	// Without a margin the test alone decides: values may move while the median stays.
	case unit.Margin > 0 && float64(worse)*(row.New.Median-row.Old.Median) <= unit.Margin*math.Abs(row.Old.Median):
		row.Decision = verdict.WithinMargin
	default:
		row.Decision = verdict.Worse
	}
}

func geoMean(rows []Row) *GeoMean {
	var older, newer []float64
	for _, r := range rows {
		older, newer = append(older, r.Old.Median), append(newer, r.New.Median)
	}
	a, b := orNil(stats.GeometricMean(older)), orNil(stats.GeometricMean(newer))
	if a == nil || b == nil || *a == 0 {
		return nil
	}
	return &GeoMean{Old: *a, New: *b, Delta: orNil(*b / *a - 1)}
}

// seconds converts seconds to a duration, at most the longest one.
func seconds(x float64) time.Duration {
	if ns := x * float64(time.Second); ns < math.MaxInt64 {
		return time.Duration(ns)
	}
	return math.MaxInt64
}

func orNil(x float64) *float64 {
	if !finite(x) {
		return nil
	}
	return &x
}
