package mockupstream

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"floodgate/mockupstream/strictyaml"
)

// Limits of a profile, which catch mistakes that would exhaust memory or time.
const (
	maxRecords = 1_000_000
	maxWorkers = 1_000_000
	maxSigma   = 5
)

var (
	latencyKinds = []string{"", "constant", "uniform", "lognormal", "percentiles", "replay"}
	bodyKinds    = []string{"", "uniform", "lognormal"}
	faultKinds   = []string{"status", "reset", "hang", "truncate", "slow", "close"}
	fullKinds    = []string{"", "wait", "429", "503"}
)

// Validate returns every mistake of the profile as joined [*strictyaml.Error]s.
// The Path of each names a field, such as "phases[1].faults[0].status".
func (p Profile) Validate() error {
	v := validator{}
	v.latency("latency", &p.Latency)
	v.body("body", &p.Body)
	if p.Request != nil {
		v.errs = append(v.errs, p.Request.problems("request")...)
	}
	v.records("records", p.Records)
	v.faults("faults", p.Faults)
	v.capacity("capacity", p.Capacity, 1)
	v.rate("rate", p.Rate, false)
	v.duration("late_bound", p.LateBound)
	v.duration("late_p99_bound", p.LateP99Bound)
	for i := range p.Phases {
		v.phase(fmt.Sprintf("phases[%d]", i), p.Phases, i)
	}
	return errors.Join(v.errs...)
}

type validator struct{ errs []error }

func (v *validator) fail(field string, value any, format string, args ...any) {
	wrong := strictyaml.Wrong(value, format, args...)
	wrong.Path = field
	v.errs = append(v.errs, wrong)
}

func (v *validator) check(ok bool, field string, value any, format string, args ...any) {
	if !ok {
		v.fail(field, value, format, args...)
	}
}

// misplaced reports a field that another field makes meaningless.
func (v *validator) misplaced(field, format string, args ...any) {
	v.errs = append(v.errs, &strictyaml.Error{Path: field, Reason: fmt.Sprintf(format, args...), AtKey: true})
}

// kind checks that name is one of the known names; if they include "", the field is optional.
func (v *validator) kind(field, name string, known []string) bool {
	if slices.Contains(known, name) {
		return true
	}
	named := slices.DeleteFunc(slices.Clone(known), func(s string) bool { return s == "" })
	v.errs = append(v.errs, &strictyaml.Error{
		Path: field, Value: strictyaml.Show(name), Reason: "must be " + strictyaml.Or(named), Nearest: strictyaml.Nearest(name, named),
	})
	return false
}

func (v *validator) duration(field string, d Duration) {
	v.check(d >= 0 && time.Duration(d) <= maxDelay, field, d, "must be 0s to %v", maxDelay)
}

func (v *validator) positive(field string, d Duration) {
	v.check(d > 0 && time.Duration(d) <= maxDelay, field, d, "must be more than 0s and at most %v", maxDelay)
}

func (v *validator) sigma(field string, sigma float64) {
	v.check(sigma >= 0 && sigma <= maxSigma, field, sigma, "must be 0 to %v", maxSigma)
}

func (v *validator) latency(field string, d *Distribution) {
	if !v.kind(field+".distribution", d.Kind, latencyKinds) {
		return
	}
	v.unused(field, d)
	v.duration(field+".plus", d.Plus)
	switch d.Kind {
	case "constant":
		v.duration(field+".value", d.Value)
	case "uniform":
		v.duration(field+".min", d.Min)
		v.duration(field+".max", d.Max)
		v.check(d.Min <= d.Max, field+".min", d.Min, "must be at most max, %v", d.Max)
	case "lognormal":
		v.positive(field+".median", d.Median)
		v.sigma(field+".sigma", d.Sigma)
		v.check(d.Max == 0 || d.Max >= d.Median, field+".max", d.Max, "must be 0s (no cap) or at least the median, %v", d.Median)
	case "percentiles":
		v.positive(field+".p50", d.P50)
		v.check(d.P95 >= d.P50, field+".p95", d.P95, "must be at least p50, %v", d.P50)
		v.check(d.P99 >= d.P95, field+".p99", d.P99, "must be at least p95, %v", d.P95)
		v.duration(field+".p99", d.P99)
		v.check(d.Max == 0 || d.Max >= d.P99, field+".max", d.Max, "must be 0s (10 times p99) or at least p99, %v", d.P99)
	case "replay":
		if d.File == "" && len(d.Samples) == 0 {
			v.misplaced(field+".file", "missing; it must be a file with one duration a line, unless there are samples")
		}
		for i, s := range d.Samples {
			v.duration(fmt.Sprintf("%s.samples[%d]", field, i), s)
		}
	}
}

// unused rejects fields that the distribution's kind ignores, because their
// author expects them to have an effect.
func (v *validator) unused(field string, d *Distribution) {
	reads := map[string][]string{
		"constant": {"value", "plus"}, "uniform": {"min", "max", "plus"}, "lognormal": {"median", "sigma", "max", "plus"},
		"percentiles": {"p50", "p95", "p99", "max", "plus"}, "replay": {"file", "samples", "plus"},
	}[d.Kind]
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"value", d.Value != 0}, {"min", d.Min != 0}, {"max", d.Max != 0}, {"median", d.Median != 0},
		{"sigma", d.Sigma != 0}, {"p50", d.P50 != 0}, {"p95", d.P95 != 0}, {"p99", d.P99 != 0},
		{"plus", d.Plus != 0}, {"file", d.File != ""}, {"samples", len(d.Samples) > 0},
	} {
		switch {
		case !f.set || slices.Contains(reads, f.name):
		case d.Kind == "":
			v.misplaced(field+"."+f.name, "needs a distribution, which is missing (want %s)", strictyaml.Or(latencyKinds[1:]))
		default:
			v.misplaced(field+"."+f.name, "does not apply to distribution %s (want %s)", d.Kind, strictyaml.Or(reads))
		}
	}
}

func (v *validator) body(field string, b *Body) {
	if !v.kind(field+".distribution", b.Kind, bodyKinds) {
		return
	}
	if b.File != "" && (b.Kind != "" || b.Min != 0 || b.Max != 0 || b.Median != 0 || b.Sigma != 0) {
		v.misplaced(field+".file", "has the records of every answer, so that their number cannot be given as well; remove one of the two")
	}
	v.check(b.Min >= 0 && b.Min <= maxRecords, field+".min_records", b.Min, "must be 0 to %d", maxRecords)
	v.check(b.Max >= 0 && b.Max <= maxRecords, field+".max_records", b.Max, "must be 0 to %d", maxRecords)
	if b.Kind == "lognormal" {
		v.check(b.Median > 0 && b.Median <= maxRecords/100, field+".median_records", b.Median, "must be 1 to %d", maxRecords/100)
		v.sigma(field+".sigma", b.Sigma)
		v.check(b.Max == 0 || b.Max >= b.Min, field+".max_records", b.Max, "must be 0 (100 times the median) or at least min_records, %d", b.Min)
		return
	}
	v.check(b.Min <= b.Max, field+".min_records", b.Min, "must be at most max_records, %d", b.Max)
	const misplaced = "does not apply to distribution uniform (want min_records or max_records)"
	if b.Median != 0 {
		v.misplaced(field+".median_records", misplaced)
	}
	if b.Sigma != 0 {
		v.misplaced(field+".sigma", misplaced)
	}
}

func (v *validator) faults(field string, faults []Fault) {
	for i, f := range faults {
		at := fmt.Sprintf("%s[%d]", field, i)
		v.kind(at+".kind", f.Kind, faultKinds)
		v.check(f.Probability >= 0 && f.Probability <= 1, at+".probability", f.Probability, "must be 0 to 1")
		if f.Kind == "status" {
			v.check(f.Status >= 400 && f.Status <= 599, at+".status", f.Status, "must be 400 to 599")
		} else if f.Status != 0 {
			v.misplaced(at+".status", "applies to kind status, not to %s", f.Kind)
		}
		v.duration(at+".for", f.For)
		if f.For != 0 && f.Kind != "hang" && f.Kind != "slow" {
			v.misplaced(at+".for", "applies to kinds hang and slow, not to %s", f.Kind)
		}
	}
}

func (v *validator) capacity(field string, c *Capacity, least int) {
	if c == nil {
		return
	}
	v.check(c.Workers >= least && c.Workers <= maxWorkers, field+".workers", c.Workers, "must be %d to %d", least, maxWorkers)
	v.check(c.Queue >= 0, field+".queue", c.Queue, "must be at least 0")
	v.kind(field+".full", c.Full, fullKinds)
	v.duration(field+".retry_after", c.RetryAfter)
}

func (v *validator) rate(field string, r *RateLimit, zero bool) {
	if r == nil {
		return
	}
	finite := r.PerSecond <= 1e9 && !math.IsNaN(r.PerSecond)
	if zero {
		v.check(finite && r.PerSecond >= 0, field+".per_second", r.PerSecond, "must be 0 (no limit) to 1e9")
	} else {
		v.check(finite && r.PerSecond > 0, field+".per_second", r.PerSecond, "must be more than 0 and at most 1e9")
	}
	v.check(r.Burst >= 0, field+".burst", r.Burst, "must be at least 0, which means 1")
}

func (v *validator) phase(field string, phases []Phase, i int) {
	ph := phases[i]
	v.check(ph.After >= 0, field+".after", ph.After, "must be at least 0s")
	if i > 0 {
		v.check(ph.After > phases[i-1].After, field+".after", ph.After, "must be later than the phase before, %v", phases[i-1].After)
	}
	if ph.Latency != nil {
		v.latency(field+".latency", ph.Latency)
	}
	v.faults(field+".faults", ph.Faults)
	v.capacity(field+".capacity", ph.Capacity, 0)
	v.rate(field+".rate", ph.Rate, true)
}
