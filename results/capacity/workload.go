package capacity

import (
	"fmt"
	"time"

	"floodgate/results"
)

// workload summarizes the time series while there was work.
type workload struct {
	ticks     int // with reports in flight
	full      int // of these with all slots in use and items that wait
	slots     int // at most in use
	waiting   int // items at most, beside those in slots
	fetching  int // items, added up over the ticks
	writing   int
	short     int // ticks with more fetches than connections to the upstream
	connected int // connections to the upstream then, at most
	queued    int // fetches without one, at most
	shed      int
	emfileAt  time.Duration
	emfile    bool
	workedFor time.Duration // until nothing was in flight any more
}

func workloadOf(s results.Series, window time.Duration) workload {
	var l workload
	at := func(c results.Column, i int) int { return int(s.Value(c, i)) }
	for i := range s.At {
		t := s.Time(i)
		if at(results.ColumnRefused, i) > 0 && !l.emfile {
			l.emfile, l.emfileAt = true, t
		}
		l.shed = max(l.shed, at(results.ColumnShed, i))
		if at(results.ColumnReportsInFlight, i) == 0 {
			continue
		}
		l.workedFor = t
		if t > window {
			continue
		}
		l.ticks++
		l.fetching += at(results.ColumnItemsFetching, i)
		l.writing += at(results.ColumnItemsWriting, i)
		if open := at(results.ColumnUpstreamOpen, i) + at(results.ColumnUpstreamConnecting, i); open > 0 && at(results.ColumnItemsFetching, i) > open {
			l.short++
			l.connected, l.queued = max(l.connected, open), max(l.queued, at(results.ColumnItemsFetching, i)-open)
		}
		limit, used := at(results.ColumnSlotLimit, i), at(results.ColumnSlotsInUse, i)
		if limit == 0 {
			continue
		}
		waiting := at(results.ColumnItemsOutstanding, i) - used
		l.waiting = max(l.waiting, waiting)
		if used >= limit && waiting > 0 {
			l.full++
			l.slots = max(l.slots, limit)
		}
	}
	l.workedFor = max(l.workedFor, window)
	return l
}

// slotsFull returns the share of the time in which all slots were in use and items
// waited.
func (l workload) slotsFull() float64 {
	if l.ticks == 0 {
		return 0
	}
	return float64(l.full) / float64(l.ticks)
}

func (l workload) slotsDetail() string {
	return fmt.Sprintf("%d of %d slots in use and items waiting %.0f %% of the time, up to %d", l.slots, l.slots, 100*l.slotsFull(), l.waiting)
}
