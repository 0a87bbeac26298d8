package mockupstream

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// FieldError is one thing wrong with a profile. The error of Validate joins
// one for each (errors.As finds the first).
type FieldError struct {
	// Field is the path of the field: "latency.sigma", "phases[1].faults[0].status".
	Field string
	// Problem says what is wrong and what is allowed.
	Problem string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// FieldPath is Field.
func (e *FieldError) FieldPath() string { return e.Field }

// Limits of a profile, against mistakes that would take all memory or time.
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

// Validate returns nil, or *FieldErrors joined: every one that there is.
func (p Profile) Validate() error {
	v := validator{}
	v.latency("latency", &p.Latency)
	v.body("body", &p.Body)
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

func (v *validator) fail(field, format string, args ...any) {
	v.errs = append(v.errs, &FieldError{field, fmt.Sprintf(format, args...)})
}

func (v *validator) check(ok bool, field, format string, args ...any) {
	if !ok {
		v.fail(field, format, args...)
	}
}

// kind checks that a name is one of allowed; "" there means that it can be left out.
func (v *validator) kind(field, name string, allowed []string) bool {
	if slices.Contains(allowed, name) {
		return true
	}
	named := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	v.fail(field, "%q; allowed: %s", name, strings.Join(named, ", "))
	return false
}

func (v *validator) duration(field string, d Duration) {
	v.check(d >= 0 && time.Duration(d) <= maxDelay, field, "%v; allowed: 0s to %v", d, maxDelay)
}

func (v *validator) positive(field string, d Duration) {
	v.check(d > 0 && time.Duration(d) <= maxDelay, field, "%v; allowed: more than 0s, up to %v", d, maxDelay)
}

func (v *validator) sigma(field string, sigma float64) {
	v.check(sigma >= 0 && sigma <= maxSigma, field, "%v; allowed: 0 to %v", sigma, maxSigma)
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
		v.check(d.Min <= d.Max, field+".min", "%v; allowed: up to max, %v", d.Min, d.Max)
	case "lognormal":
		v.positive(field+".median", d.Median)
		v.sigma(field+".sigma", d.Sigma)
		v.check(d.Max == 0 || d.Max >= d.Median, field+".max", "%v; allowed: 0s (no cap), or at least the median, %v", d.Max, d.Median)
	case "percentiles":
		v.positive(field+".p50", d.P50)
		v.check(d.P95 >= d.P50, field+".p95", "%v; allowed: at least p50, %v", d.P95, d.P50)
		v.check(d.P99 >= d.P95, field+".p99", "%v; allowed: at least p95, %v", d.P99, d.P95)
		v.duration(field+".p99", d.P99)
		v.check(d.Max == 0 || d.Max >= d.P99, field+".max", "%v; allowed: 0s (10 times p99), or at least p99, %v", d.Max, d.P99)
	case "replay":
		v.check(d.File != "" || len(d.Samples) > 0, field+".file", "missing; allowed: a file with one duration a line, or samples")
		for i, s := range d.Samples {
			v.duration(fmt.Sprintf("%s.samples[%d]", field, i), s)
		}
	}
}

// unused rejects fields that the kind of the distribution does not read: who
// wrote them expected something of them.
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
			v.fail(field+"."+f.name, "given without a distribution; allowed distributions: %s", strings.Join(latencyKinds[1:], ", "))
		default:
			v.fail(field+"."+f.name, "not read by distribution %q; allowed: %s", d.Kind, strings.Join(reads, ", "))
		}
	}
}

func (v *validator) body(field string, b *Body) {
	if !v.kind(field+".distribution", b.Kind, bodyKinds) {
		return
	}
	v.check(b.Min >= 0 && b.Min <= maxRecords, field+".min_records", "%d; allowed: 0 to %d", b.Min, maxRecords)
	v.check(b.Max >= 0 && b.Max <= maxRecords, field+".max_records", "%d; allowed: 0 to %d", b.Max, maxRecords)
	if b.Kind == "lognormal" {
		v.check(b.Median > 0 && b.Median <= maxRecords/100, field+".median_records", "%d; allowed: 1 to %d", b.Median, maxRecords/100)
		v.sigma(field+".sigma", b.Sigma)
		v.check(b.Max == 0 || b.Max >= b.Min, field+".max_records", "%d; allowed: 0 (100 times the median), or at least min_records, %d", b.Max, b.Min)
		return
	}
	v.check(b.Min <= b.Max, field+".min_records", "%d; allowed: up to max_records, %d", b.Min, b.Max)
	v.check(b.Median == 0, field+".median_records", "not read by distribution %q; allowed: min_records, max_records", "uniform")
	v.check(b.Sigma == 0, field+".sigma", "not read by distribution %q; allowed: min_records, max_records", "uniform")
}

func (v *validator) faults(field string, faults []Fault) {
	for i, f := range faults {
		at := fmt.Sprintf("%s[%d]", field, i)
		v.kind(at+".kind", f.Kind, faultKinds)
		v.check(f.Probability >= 0 && f.Probability <= 1, at+".probability", "%v; allowed: 0 to 1", f.Probability)
		if f.Kind == "status" {
			v.check(f.Status >= 400 && f.Status <= 599, at+".status", "%d; allowed: 400 to 599", f.Status)
		} else {
			v.check(f.Status == 0, at+".status", "%d for kind %q; allowed for kind \"status\" only", f.Status, f.Kind)
		}
		v.duration(at+".for", f.For)
		v.check(f.For == 0 || f.Kind == "hang" || f.Kind == "slow", at+".for", "%v for kind %q; allowed for kinds \"hang\" and \"slow\" only", f.For, f.Kind)
	}
}

func (v *validator) capacity(field string, c *Capacity, least int) {
	if c == nil {
		return
	}
	v.check(c.Workers >= least && c.Workers <= maxWorkers, field+".workers", "%d; allowed: %d to %d", c.Workers, least, maxWorkers)
	v.check(c.Queue >= 0, field+".queue", "%d; allowed: 0 or more", c.Queue)
	v.kind(field+".full", c.Full, fullKinds)
	v.duration(field+".retry_after", c.RetryAfter)
}

func (v *validator) rate(field string, r *RateLimit, zero bool) {
	if r == nil {
		return
	}
	finite := r.PerSecond <= 1e9 && !math.IsNaN(r.PerSecond)
	if zero {
		v.check(finite && r.PerSecond >= 0, field+".per_second", "%v; allowed: 0 (no limit) to 1e9", r.PerSecond)
	} else {
		v.check(finite && r.PerSecond > 0, field+".per_second", "%v; allowed: more than 0, up to 1e9", r.PerSecond)
	}
	v.check(r.Burst >= 0, field+".burst", "%d; allowed: 0 (as 1) or more", r.Burst)
}

func (v *validator) phase(field string, phases []Phase, i int) {
	ph := phases[i]
	v.check(ph.After >= 0, field+".after", "%v; allowed: 0s or more", ph.After)
	if i > 0 {
		v.check(ph.After > phases[i-1].After, field+".after", "%v; allowed: later than the phase before, %v", ph.After, phases[i-1].After)
	}
	if ph.Latency != nil {
		v.latency(field+".latency", ph.Latency)
	}
	v.faults(field+".faults", ph.Faults)
	v.capacity(field+".capacity", ph.Capacity, 0)
	v.rate(field+".rate", ph.Rate, true)
}
