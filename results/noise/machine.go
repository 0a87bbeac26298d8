package noise

import (
	"fmt"

	"floodgate/results"
)

// What disturbs, as shares of the time of all cores.
const (
	// lossNote: 2 % stolen or stopped is more than a quiet host ever takes, and
	// what "floodgate doctor" warns of.
	lossNote = 0.02
	// lossBound: at 10 % a trial that keeps every core busy takes 11 % longer,
	// more than an interval of pairs is commonly wide.
	lossBound = 0.10
)

// OthersNote is the share of the cores' time that other programs may use before
// it is worth a word; "floodgate doctor" warns of as much before a run.
const OthersNote = 0.15

const (
	helpsSteal    = "use a machine that is not shared, or another time of day"
	helpsThrottle = "raise or remove the CPU quota"
	helpsLoad     = "stop other programs, or pin the run to cores of its own"
	helpsHeat     = "improve cooling, or fix a lower frequency"
)

// loss of core time over some trials: its share of the time of all cores,
// without the trial that lost most.
type loss struct {
	kind   string
	share  float64
	most   float64 // in that trial
	trials int     // that tell
}

// lost sums up what was stolen or throttled. One burst harms one pair, which an
// interval from ranks withstands: the worst trial is left out. Sums and not
// medians, as a trial of 50 ms has ten ticks of a clock to count by.
func lost(kind string, trials []*results.Trial, cores int) loss {
	var span, time, worst, worstSpan float64
	l := loss{kind: kind}
	for _, t := range trials {
		c := t.Machine
		if c == nil || c.Span <= 0 {
			continue
		}
		var share float64
		switch {
		case kind == KindSteal && c.Stolen != nil:
			share = *c.Stolen
		case kind == KindThrottling && c.Throttled != nil:
			share = min(1, c.Throttled.Seconds()/c.Span.Seconds()/float64(max(cores, 1)))
		default:
			continue
		}
		l.trials++
		l.most = max(l.most, share)
		span, time = span+c.Span.Seconds(), time+share*c.Span.Seconds()
		if share*c.Span.Seconds() >= worst {
			worst, worstSpan = share*c.Span.Seconds(), c.Span.Seconds()
		}
	}
	if span > worstSpan {
		l.share = max(0, time-worst) / (span - worstSpan)
	}
	return l
}

// says is a sentence about the loss, of trials of what.
func (l loss) says(what string) string {
	if l.kind == KindSteal {
		return fmt.Sprintf("other virtual machines on the host stole %.1f %% of the CPU time in %s (excluding the worst of %d, with %.0f %%)", 100*l.share, what, l.trials, 100*l.most)
	}
	return fmt.Sprintf("the CPU quota throttled the run for %.1f %% of the CPU time in %s (excluding the worst of %d, with %.0f %%)", 100*l.share, what, l.trials, 100*l.most)
}

func (l loss) helps() string {
	if l.kind == KindSteal {
		return helpsSteal
	}
	return helpsThrottle
}

// Losses are the findings about one side of a comparison whose trials lost more
// core time than the bound, and the share at worst of the time of one thread:
// all that was lost may have hit the one that the makespan hung on.
func Losses(variant, level string, trials []*results.Trial, cores int) (findings []Finding, atWorst float64) {
	for _, kind := range []string{KindSteal, KindThrottling} {
		l := lost(kind, trials, cores)
		if l.share <= lossBound {
			continue
		}
		atWorst = min(1, atWorst+l.share*float64(max(cores, 1)))
		findings = append(findings, Finding{Kind: kind, Severity: TooNoisy, Variant: variant, Level: level,
			Message: l.says("trials of " + variant), Advice: l.helps()})
	}
	return findings, atWorst
}

// OfMachine says what the machine did in the trials of a run or plan that were
// measured.
func OfMachine(run *results.Run) []Finding {
	_, findings := ofMachine(run)
	return findings
}

// ofMachine is that, and how many trials have a record of it.
func ofMachine(run *results.Run) (watched int, findings []Finding) {
	var trials []*results.Trial
	var first *results.Trial
	for i := range run.Trials {
		t := &run.Trials[i]
		if t.Machine == nil {
			continue
		}
		watched++
		if t.Machine.Load != nil && (first == nil || t.Started.Before(first.Started)) {
			first = t
		}
		if t.Outcome == results.OutcomeOK {
			trials = append(trials, t)
		}
	}
	cores := run.Header.Fingerprint.Cores
	for _, kind := range []string{KindSteal, KindThrottling} {
		if l := lost(kind, trials, cores); l.share > lossNote {
			f := Finding{Kind: kind, Severity: Note, Message: l.says("trials"), Advice: l.helps()}
			if l.share > lossBound {
				f.Severity = TooNoisy
			}
			findings = append(findings, f)
		}
	}
	if first != nil && cores > 0 && *first.Machine.Load > float64(cores) {
		findings = append(findings, Finding{Kind: KindLoad, Severity: Note, Advice: helpsLoad,
			Message: fmt.Sprintf("the load average was %.1f on %d cores when the run began", *first.Machine.Load, cores)})
	}
	if share, n := others(trials); share > OthersNote {
		findings = append(findings, Finding{Kind: KindLoad, Severity: Note, Advice: helpsLoad,
			Message: fmt.Sprintf("other programs used %.0f %% of the CPU time in %d trials", 100*share, n)})
	}
	hot := 0
	for _, t := range trials {
		if t.Machine.Heat != nil && *t.Machine.Heat > 0 {
			hot++
		}
	}
	if hot > 0 {
		findings = append(findings, Finding{Kind: KindThrottling, Severity: Note, Advice: helpsHeat,
			Message: fmt.Sprintf("cores were throttled because of heat in %d of %d trials", hot, len(trials))})
	}
	return watched, findings
}

// others is the share that programs not ours used.
func others(trials []*results.Trial) (share float64, n int) {
	var span, time float64
	for _, t := range trials {
		if c := t.Machine; c.Others != nil {
			span, time = span+c.Span.Seconds(), time+*c.Others*c.Span.Seconds()
			n++
		}
	}
	if span == 0 {
		return 0, 0
	}
	return time / span, n
}
