package noise

import (
	"fmt"

	"floodgate/results"
)

// Bounds on stolen and throttled time, as shares of the time of all cores.
const (
	// lossNote is more than a quiet host loses; "floodgate doctor" warns of as much.
	lossNote = 0.02
	// lossBound makes a trial that keeps every core busy take 11 % longer, more
	// than the usual width of an interval of pairs.
	lossBound = 0.10
)

// OthersNote is the share of the cores' time that other programs may use before
// it is reported; "floodgate doctor" warns of as much before a run.
const OthersNote = 0.15

const (
	adviceSteal    = "use a machine that is not shared, or another time of day"
	adviceThrottle = "raise or remove the CPU quota"
	adviceLoad     = "stop other programs, or pin the run to cores of its own"
	adviceHeat     = "improve cooling, or fix a lower frequency"
)

// loss is the core time that some trials lost to one kind of disturbance.
type loss struct {
	kind   string
	share  float64 // of the time of all cores, without the worst trial
	worst  float64 // share of the worst trial
	trials int     // number of trials with a record
}

// lossOf sums up the stolen or throttled time. The worst trial is excluded, as
// an interval from ranks withstands a burst in one pair. It takes sums rather
// than medians because a trial of 50 ms has only ten clock ticks to count by.
func lossOf(kind string, trials []*results.Trial, cores int) loss {
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
		l.worst = max(l.worst, share)
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

// finding describes the loss in the named trials.
func (l loss) finding(severity, trials string) Finding {
	f := Finding{Kind: l.kind, Severity: severity}
	excluding := fmt.Sprintf("%.1f %% of the CPU time in %s (excluding the worst of %d, with %.0f %%)", 100*l.share, trials, l.trials, 100*l.worst)
	if l.kind == KindSteal {
		f.Message, f.Advice = "other virtual machines on the host stole "+excluding, adviceSteal
	} else {
		f.Message, f.Advice = "the CPU quota throttled the run for "+excluding, adviceThrottle
	}
	return f
}

// Losses returns the findings about one side of a comparison whose trials lost
// more than 10 % of their core time, and the largest share of its time that a
// single thread may have lost: the whole loss may have hit the thread that
// determines the makespan.
func Losses(variant, level string, trials []*results.Trial, cores int) (findings []Finding, atWorst float64) {
	for _, kind := range []string{KindSteal, KindThrottling} {
		l := lossOf(kind, trials, cores)
		if l.share <= lossBound {
			continue
		}
		atWorst = min(1, atWorst+l.share*float64(max(cores, 1)))
		f := l.finding(TooNoisy, "trials of "+variant)
		f.Variant, f.Level = variant, level
		findings = append(findings, f)
	}
	return findings, atWorst
}

// OfMachine returns the findings about the machine during the measured trials
// of a run or plan.
func OfMachine(run *results.Run) []Finding {
	_, findings := ofMachine(run)
	return findings
}

// ofMachine is [OfMachine], with the number of trials during which the machine
// was watched.
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
		if l := lossOf(kind, trials, cores); l.share > lossBound {
			findings = append(findings, l.finding(TooNoisy, "trials"))
		} else if l.share > lossNote {
			findings = append(findings, l.finding(Note, "trials"))
		}
	}
	if first != nil && cores > 0 && *first.Machine.Load > float64(cores) {
		findings = append(findings, Finding{Kind: KindLoad, Severity: Note, Advice: adviceLoad,
			Message: fmt.Sprintf("the load average was %.1f on %d cores when the run began", *first.Machine.Load, cores)})
	}
	if share, n := usedByOthers(trials); share > OthersNote {
		findings = append(findings, Finding{Kind: KindLoad, Severity: Note, Advice: adviceLoad,
			Message: fmt.Sprintf("other programs used %.0f %% of the CPU time in %d trials", 100*share, n)})
	}
	hot := 0
	for _, t := range trials {
		if t.Machine.Heat != nil && *t.Machine.Heat > 0 {
			hot++
		}
	}
	if hot > 0 {
		findings = append(findings, Finding{Kind: KindThrottling, Severity: Note, Advice: adviceHeat,
			Message: fmt.Sprintf("cores were throttled because of heat in %d of %d trials", hot, len(trials))})
	}
	return watched, findings
}

// usedByOthers returns the share of the cores' time that other programs used,
// and the number of trials in which that was recorded.
func usedByOthers(trials []*results.Trial) (share float64, n int) {
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
