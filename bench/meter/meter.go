// Package meter sees how busy the whole machine is.
package meter

import (
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
)

// interval is how often the machine is looked at.
const interval = 100 * time.Millisecond

// Meter looks at the machine until it is stopped.
type Meter struct {
	done chan struct{}
	wait sync.WaitGroup
	seen []times
}

// times of all cores together, in seconds.
type times struct {
	at          time.Time
	total, idle float64
}

// Watch begins to look.
func Watch() *Meter {
	m := &Meter{done: make(chan struct{})}
	m.wait.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			if t, err := cpu.Times(false); err == nil && len(t) == 1 {
				c := t[0]
				idle := c.Idle + c.Iowait
				m.seen = append(m.seen, times{time.Now(), idle + c.User + c.Nice + c.System + c.Irq + c.Softirq + c.Steal, idle})
			}
			select {
			case <-tick.C:
			case <-m.done:
				return
			}
		}
	})
	return m
}

// Stop returns the highest share of all cores that was in use over any window
// since Watch; 0: unknown, or there was no such window. To be called once.
func (m *Meter) Stop(window time.Duration) float64 {
	close(m.done)
	m.wait.Wait()
	return busiest(m.seen, window)
}

func busiest(seen []times, window time.Duration) (share float64) {
	from := 0
	for _, now := range seen {
		for from+1 < len(seen) && now.at.Sub(seen[from+1].at) >= window {
			from++
		}
		then := seen[from]
		if total := now.total - then.total; now.at.Sub(then.at) >= window && total > 0 {
			share = max(share, 1-(now.idle-then.idle)/total)
		}
	}
	return share
}
