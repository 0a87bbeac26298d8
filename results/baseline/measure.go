package baseline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

const confidence = summary.Confidence

// RefusedError reports that a run cannot be a baseline.
type RefusedError struct {
	Run string
	Why string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("run %s cannot be a baseline: %s; use a finished run that passed and lost no write", e.Run, e.Why)
}

// FromRun makes a baseline of a run. Its error is a [RefusedError] if the run is
// unfinished, did not pass, or has lost, duplicate or corrupt writes.
func FromRun(run *results.Run) (*Baseline, error) {
	refuse := func(format string, args ...any) error {
		return &RefusedError{run.Header.ID, fmt.Sprintf(format, args...)}
	}
	if run.Header.Search {
		return nil, refuse("it is a plan")
	}
	if err := run.Header.Whole(); err != nil {
		return nil, refuse("%v", err)
	}
	if !run.Complete {
		return nil, refuse("it is not finished (%d of %d trials)", len(run.Trials), run.Header.Planned)
	}
	judged, err := claims.Judge(run)
	if err != nil {
		return nil, err
	}
	if judged.Exit != verdict.ExitPassed {
		return nil, refuse("%s (exit code %d)", reason(judged), judged.Exit)
	}
	b, err := measure(run)
	if err != nil {
		return nil, err
	}
	for _, c := range b.Cells {
		if w := c.Writes; w != nil && w.Lost+w.Duplicate+w.Corrupt > 0 {
			return nil, refuse("writes of %s at %s: %d lost, %d duplicate, %d corrupt", c.Variant, c.Level, w.Lost, w.Duplicate, w.Corrupt)
		}
		if len(c.Blocks) == 0 && c.Unfinished == 0 {
			return nil, refuse("no trial of %s at %s was measured", c.Variant, c.Level)
		}
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("baseline of run %s: %w", run.Header.ID, err)
	}
	return b, nil
}

// reason explains why a run did not pass.
func reason(v *claims.Outcome) string {
	var open []string
	for _, c := range v.Claims {
		if !c.AsExpected {
			open = append(open, fmt.Sprintf("claim %s is %s", c.ID, c.Decision))
		}
	}
	for _, t := range v.Thresholds {
		if t.Verdict().ExitCode() != verdict.ExitPassed {
			open = append(open, fmt.Sprintf("threshold %s is %s", t.Rule, t.Decision))
		}
	}
	if n := v.Outcomes[results.OutcomeFailed]; n > 0 {
		open = append(open, fmt.Sprintf("%d trials could not be measured", n))
	}
	if len(open) == 0 {
		return "it is " + string(v.Decision)
	}
	return strings.Join(open, ", ")
}

// measure summarizes any run in the form of a baseline.
func measure(run *results.Run) (*Baseline, error) {
	x, err := summary.NewIndex(run)
	if err != nil {
		return nil, err
	}
	h := run.Header
	f, e, setting := h.Fingerprint, h.Environment, run.Setting()
	b := &Baseline{
		Schema: Schema, Scenario: h.ScenarioName, Hash: h.Design(), Seed: h.Seed, Quick: h.Quick, Run: h.ID,
		Recorded: h.Started.UTC().Format(time.DateOnly), Revision: printable(f.Revision), Modified: f.Modified,
		Environment: Environment{Kind: e.Kind, Database: printable(e.Database), Upstream: printable(e.Upstream), SUT: setting.Place, Limits: printable(setting.Limits), Profiles: printable(setting.Profiles), Traces: setting.Traces},
		Machine: Machine{
			CPU: printable(f.CPU), Cores: f.Cores, OS: f.OS, Arch: f.Arch, Kernel: printable(f.Kernel), Go: f.Go, GOMAXPROCS: f.GOMAXPROCS, CPUQuota: f.CPUQuota,
			Memory: f.Memory, MemoryLimit: f.MemoryLimit, Governor: printable(f.Governor), Pinning: printable(f.Pinning),
		},
		Program: programOf(h.SUT),
		Drawn:   drawn(run), Blocks: x.Blocks(), Reference: x.Reference(),
	}
	for _, l := range x.Levels {
		for _, v := range x.Scenario.Variants {
			if v.RunsAt(l) {
				b.Cells = append(b.Cells, measureCell(v.Name, l.Name, x.Trials(v.Name, l.Name)))
			}
		}
	}
	for i := range b.Cells {
		c := &b.Cells[i]
		if base := b.cell(b.Reference, c.Level); base != nil && base != c {
			c.Reduction = reduction(c, base)
		}
	}
	return b, nil
}

// printable replaces unprintable characters, which the names of products may have.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// programOf returns what is known of a program of the user's own; nil means nothing.
func programOf(s *results.SUT) *Program {
	if s == nil || s.Toolchain+s.CLibrary == "" {
		return nil
	}
	return &Program{Toolchain: printable(s.Toolchain), CLibrary: printable(s.CLibrary)}
}

// drawn reports whether all measured trials used the mock upstream.
func drawn(run *results.Run) bool {
	return !slices.ContainsFunc(run.Trials, func(t results.Trial) bool {
		return t.Outcome == results.OutcomeOK && (t.Upstream == nil || t.Upstream.Proxied)
	})
}

func measureCell(variant, level string, trials []*results.Trial) Cell {
	c := Cell{Variant: variant, Level: level, Blocks: []int{}, Errors: []Error{}}
	trials = slices.SortedFunc(slices.Values(trials), func(a, b *results.Trial) int { return a.Block - b.Block })
	errs := map[string]int{}
	for _, t := range trials {
		c.count(t, errs)
		if t.Outcome != results.OutcomeOK || t.Service == nil && t.ItemsDone != nil && *t.ItemsDone == 0 {
			continue
		}
		c.Blocks = append(c.Blocks, t.Block)
		n := 0
		if t.ItemsFailed != nil {
			n = *t.ItemsFailed
		}
		c.ItemsFailed = append(c.ItemsFailed, n)
		for name, v := range valuesOf(t) {
			for _, s := range series {
				if s.metric == name && v > 0 {
					list := s.list(&c)
					*list = append(*list, rounded(v))
				}
			}
		}
	}
	for _, s := range series { // a metric needs a value of every trial
		if list := s.list(&c); len(*list) != len(c.Blocks) {
			*list = nil
		}
	}
	if !slices.ContainsFunc(c.ItemsFailed, func(n int) bool { return n > 0 }) {
		c.ItemsFailed = nil
	}
	for _, name := range slices.Sorted(maps.Keys(errs)) {
		c.Errors = append(c.Errors, Error{name, errs[name]})
	}
	return c
}

// valuesOf returns the values of a measured trial; 0 means unavailable.
func valuesOf(t *results.Trial) map[string]float64 {
	millis := func(d time.Duration) float64 { return float64(d) / 1e6 }
	m := map[string]float64{
		MetricMemory:  float64(t.Resources.PeakRSS) / (1 << 20),
		MetricItemP50: millis(t.Stages["item"].P50), MetricItemP99: millis(t.Stages["item"].P99),
		MetricFetch: millis(t.Stages["fetch"].Mean), MetricPoolWait: millis(t.Stages["pool_wait"].Mean), MetricWrite: millis(t.Stages["write"].Mean),
	}
	if t.Makespan > 0 && !t.Apart() {
		m[MetricMakespan] = millis(t.Makespan)
		m[MetricEfficiency] = float64(t.Ideal) / float64(t.Makespan)
	}
	items := t.Items
	if s := t.Service; s != nil {
		m[MetricResponseP50], m[MetricResponseP99] = millis(s.Response.P50), millis(s.Response.P99)
		items = s.Ended
	}
	if items > 0 {
		m[MetricCPU] = millis(t.Resources.UserCPU+t.Resources.SystemCPU) / float64(items)
		if n := t.Resources.Allocs; n != nil {
			m[MetricAllocs] = float64(*n) / float64(items)
		}
	}
	return m
}

// count adds the figures that count whatever the outcome.
func (c *Cell) count(t *results.Trial, errs map[string]int) {
	switch t.Outcome {
	case results.OutcomeCrashed, results.OutcomeTimeout, results.OutcomeStalled:
		c.Unfinished++
	}
	if peak, ok := t.Descriptors.Highest(); ok && (c.Peak == nil || peak > *c.Peak) {
		c.Peak = &peak
	}
	if p := t.Descriptors.Predicted; p > 0 && (c.Predicted == nil || p < *c.Predicted) {
		c.Predicted = &p
	}
	if n := t.Descriptors.Leaked; n != nil && (c.Leaked == nil || *n > *c.Leaked) {
		c.Leaked = n
	}
	for _, e := range t.Errors {
		errs[e.Type] += e.Count
	}
	if t.Service != nil {
		for name, n := range t.Service.Errors {
			errs["report "+name] += n
		}
	}
	d := t.Documents
	if d == nil {
		return
	}
	if c.Writes == nil {
		c.Writes = &Writes{Read: true}
	}
	w := c.Writes
	w.Checked++
	w.Read = w.Read && !d.Unchecked
	w.Duplicate += d.Duplicate
	w.Corrupt += d.Corrupt + d.Foreign
	if t.Outcome != results.OutcomeCrashed && t.Outcome != results.OutcomeTimeout && t.Outcome != results.OutcomeFailed {
		w.Lost += d.Lost // if the SUT did not finish, missing documents say nothing about its writes
	}
}
