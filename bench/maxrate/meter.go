package maxrate

import (
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
)

// meterInterval is how often the machine is looked at.
const meterInterval = 200 * time.Millisecond

// meter sees how busy the whole machine is.
type meter struct {
	window time.Duration
	done   chan struct{}
	wait   sync.WaitGroup
	seen   []times
}

// times of all cores together, in seconds.
type times struct {
	at          time.Time
	total, idle float64
}

// watch begins to look.
func watch(window time.Duration) *meter {
	m := &meter{window: window, done: make(chan struct{})}
	m.wait.Go(func() {
		tick := time.NewTicker(meterInterval)
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

// stop returns the highest share of all cores that was in use over any window;
// 0: unknown.
func (m *meter) stop() float64 {
	close(m.done)
	m.wait.Wait()
	return busiest(m.seen, m.window)
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
