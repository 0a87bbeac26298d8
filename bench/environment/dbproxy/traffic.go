package dbproxy

import (
	"sync"
	"sync/atomic"
	"time"

	"floodgate/bench/environment/wire"
)

// traffic holds the attempts and the statistics of a link since it was set.
type traffic struct {
	link     Link
	up, down lane

	mu       sync.Mutex
	attempts map[uint64]int // by key

	commands, delayed, before, after atomic.Int64
}

// newTraffic returns nil for a link that adds nothing.
func newTraffic(l Link) *traffic {
	if l = l.sane(); l.idle() {
		return nil
	}
	return &traffic{link: l, attempts: map[uint64]int{}, up: lane{bandwidth: l.Bandwidth}, down: lane{bandwidth: l.Bandwidth}}
}

// admit draws for a command with documents that arrived at now.
func (t *traffic) admit(m wire.Message, now time.Time) (due time.Time, _ Reset) {
	t.commands.Add(1)
	d := t.draw(m)
	if d.Delay > 0 {
		t.delayed.Add(1)
	}
	if d.Reset == After && m.MoreToCome() { // it has no answer to lose
		d.Reset = Before
	}
	return t.up.reserve(now, len(m)).Add(d.Delay), d.Reset
}

func (t *traffic) draw(m wire.Message) Draw {
	if !t.link.chance() {
		return t.link.Draw(0, 1)
	}
	key := m.Key()
	t.mu.Lock()
	t.attempts[key]++
	attempt := t.attempts[key]
	t.mu.Unlock()
	return t.link.Draw(key, attempt)
}

// lane is one direction of a link, which passes messages sequentially.
type lane struct {
	bandwidth int64 // bytes a second; zero means unlimited

	mu   sync.Mutex
	free time.Time // when the last message that was admitted has passed
}

// reserve returns when the last byte of a message that arrives now will have passed.
func (l *lane) reserve(now time.Time, size int) time.Time {
	if l.bandwidth <= 0 {
		return now
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.After(l.free) {
		l.free = now
	}
	l.free = l.free.Add(transfer(size, l.bandwidth))
	return l.free
}

// transfer returns the transfer time of size bytes: at most a year and a half, for the largest
// message at a byte per second.
func transfer(size int, bandwidth int64) time.Duration {
	return time.Duration(size) * time.Second / time.Duration(bandwidth)
}

// Stats holds the statistics of a link since it was set. A link that adds nothing has none.
type Stats struct {
	// Commands counts the commands with documents, and Delayed those that were delayed.
	Commands int64 `json:"commands"`
	Delayed  int64 `json:"delayed"`
	// ResetsBefore counts the connections reset instead of passing a command on, and
	// ResetsAfter those reset instead of passing an answer on.
	ResetsBefore int64 `json:"resets_before"`
	ResetsAfter  int64 `json:"resets_after"`
}

func (t *traffic) stats() Stats {
	if t == nil {
		return Stats{}
	}
	return Stats{t.commands.Load(), t.delayed.Load(), t.before.Load(), t.after.Load()}
}
