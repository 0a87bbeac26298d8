package precise

import "time"

const (
	maxLead   = 200 * time.Microsecond
	stepUp    = 3 * time.Microsecond
	stepDown  = time.Microsecond
	spinShare = 20 // one in so much of the time may be spun
	maxBudget = 5 * time.Millisecond
)

// lead is how much earlier than its deadline an alarm has to ring, for it
// takes a while until anything runs: the upper quartile of that while, found
// by unequal steps up and down. Who runs before the deadline spins until then;
// when too much time is spun, there is no lead. Times count from any base.
type lead struct {
	quartile time.Duration
	aimed    time.Duration // when the alarm that is set should ring; 0: at once
	budget   time.Duration // that may still be spun
	refilled time.Duration // when the budget was last added to
}

// aim is how long from now an alarm should ring for the deadline due.
func (l *lead) aim(due, now time.Duration) time.Duration {
	l.budget = min(l.budget+(now-l.refilled)/spinShare, maxBudget)
	l.refilled = now
	l.aimed = due
	if l.budget > 0 {
		l.aimed -= l.quartile
	}
	if l.aimed <= now {
		l.aimed = 0
		return 0
	}
	return l.aimed - now
}

// rang learns from an alarm that was set for the deadline due and rang now. It
// returns until when to spin, which may be past.
func (l *lead) rang(due, now time.Duration) time.Duration {
	if due-now > maxLead {
		return 0 // set anew as it rang
	}
	if l.aimed > 0 {
		if now-l.aimed > l.quartile {
			l.quartile = min(l.quartile+stepUp, maxLead)
		} else {
			l.quartile = max(l.quartile-stepDown, 0)
		}
	}
	l.budget -= max(due-now, 0)
	return due
}
