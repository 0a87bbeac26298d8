package precise

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

func TestAlarmOnLinux(t *testing.T) {
	c := New()
	defer c.Close()
	if got := c.alarm != nil; got != (runtime.GOOS == "linux") {
		t.Errorf("has an alarm: %v, on %s", got, runtime.GOOS)
	}
}

// The clock works on other systems, where it has no alarm.
func TestPlainClock(t *testing.T) {
	c := &Clock{closing: make(chan struct{}), stopped: make(chan struct{}), base: time.Now()}
	close(c.stopped)
	began := time.Now()
	if err := c.Sleep(context.Background(), time.Millisecond); err != nil || time.Since(began) < time.Millisecond {
		t.Errorf("Sleep: %v after %v", err, time.Since(began))
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(time.Millisecond, cancel)
	if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled Sleep: %v", err)
	}
	time.AfterFunc(time.Millisecond, c.Close)
	if err := c.Sleep(context.Background(), time.Hour); !errors.Is(err, ErrClosed) {
		t.Errorf("Sleep of a closed clock: %v", err)
	}
}

// A sleep that ends before all earlier ones sets the alarm again.
func TestShorterSleepOvertakes(t *testing.T) {
	c := New()
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	long := make(chan error)
	go func() { long <- c.Sleep(ctx, time.Hour) }()
	for asleep := 0; asleep == 0 && c.alarm != nil; runtime.Gosched() {
		c.mu.Lock()
		asleep = len(c.queue)
		c.mu.Unlock()
	}
	if err := c.Sleep(context.Background(), time.Millisecond); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-long; !errors.Is(err, context.Canceled) {
		t.Errorf("canceled Sleep: %v", err)
	}
}

// The lead settles at the upper quartile of the delays, and becomes zero when spinning
// takes too much time.
func TestLead(t *testing.T) {
	var l lead
	now := time.Duration(0)
	ring := func(takes time.Duration) (spun time.Duration) {
		now += 10 * time.Millisecond
		due := now + 5*time.Millisecond
		now += l.aim(due, now) + takes
		spun = max(l.rang(due, now)-now, 0)
		now += spun
		return spun
	}
	for i := range 4000 {
		ring(time.Duration(i*37%101) * time.Microsecond) // uniform on 0 to 100 µs
	}
	if l.quartile < 60*time.Microsecond || l.quartile > 90*time.Microsecond {
		t.Errorf("lead %v, want about 75µs", l.quartile)
	}
	spun, from := time.Duration(0), now
	for range 1000 {
		due := now + 300*time.Microsecond
		now += l.aim(due, now)
		rest := max(l.rang(due, now)-now, 0)
		l.quartile = maxLead // as if most threads still woke late
		spun += rest
		now += rest
	}
	if share := float64(spun) / float64(now-from); share > 0.08 || spun == 0 {
		t.Errorf("spun %.0f %% of the time, want about 5", 100*share)
	}
}
