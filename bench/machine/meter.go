package machine

import (
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
)

// meterInterval is the interval between a Meter's samples.
const meterInterval = 100 * time.Millisecond

// Meter samples how busy all cores are, on every operating system, until it is stopped.
// A [Watch] reports more, but only on Linux.
type Meter struct {
	done chan struct{}
	wait sync.WaitGroup
	seen []coreTimes
}

// coreTimes holds the times of all cores together, in seconds.
type coreTimes struct {
	at          time.Time
	total, idle float64
}

// StartMeter starts a meter.
func StartMeter() *Meter {
	m := &Meter{done: make(chan struct{})}
	m.wait.Go(func() {
		tick := time.NewTicker(meterInterval)
		defer tick.Stop()
		for {
			if t, err := cpu.Times(false); err == nil && len(t) == 1 {
				c := t[0]
				idle := c.Idle + c.Iowait
				m.seen = append(m.seen, coreTimes{time.Now(), idle + c.User + c.Nice + c.System + c.Irq + c.Softirq + c.Steal, idle})
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

// Stop stops the meter and returns the highest share of all cores in use, 0 to 1, over
// any window of the given length; zero means that it is unknown, or that the meter ran
// for less than a window. It may be called once.
func (m *Meter) Stop(window time.Duration) float64 {
	close(m.done)
	m.wait.Wait()
	return busiest(m.seen, window)
}

func busiest(seen []coreTimes, window time.Duration) (share float64) {
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
