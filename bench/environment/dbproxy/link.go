package dbproxy

import (
	"math"
	"time"

	"floodgate/mockupstream/rng"
)

// Link is how the way between core and database behaves. The zero value adds nothing.
type Link struct {
	// Latency is added to every command that touches documents, and Jitter
	// spreads it evenly from Latency − Jitter to Latency + Jitter. A jitter above
	// the latency is taken as the latency, and negative values as none.
	Latency time.Duration `json:"latency_ns,omitempty"`
	Jitter  time.Duration `json:"jitter_ns,omitempty"`
	// Bandwidth in bytes a second, each way, shared by all connections; zero means unlimited.
	Bandwidth int64 `json:"bandwidth,omitempty"`
	// Resets is the probability, 0 to 1, that a command's connection is reset.
	Resets float64 `json:"resets,omitempty"`
	// Seed of all draws.
	Seed uint64 `json:"seed,omitempty"`
}

// Draw is what chance decides for one command.
type Draw struct {
	// Delay before the command is passed on, beside what bandwidth takes.
	Delay time.Duration
	// Reset of the client's connection: Before in place of passing the command
	// on, After in place of passing its answer on.
	Reset Reset
}

// Reset reports whether a command is reset, and when.
type Reset uint8

// Resets.
const (
	NoReset Reset = iota
	Before
	After
)

// Draw returns the draw for an attempt (1 is the first) at a key: a pure function of
// link and arguments. Delay, reset and its side have random streams of their
// own: changing one leaves the others' draws alone.
func (l Link) Draw(key uint64, attempt int) Draw {
	l = l.sane()
	h := rng.Mix(key ^ rng.At(l.Seed, 1))
	d := Draw{Delay: l.Latency}
	if l.Jitter > 0 {
		d.Delay += time.Duration(math.Round((2*rng.Uniform(stream(h, attempt, purposeDelay)) - 1) * float64(l.Jitter)))
	}
	if rng.Uniform(stream(h, attempt, purposeReset)) < l.Resets {
		d.Reset = Before
		if rng.Uniform(stream(h, attempt, purposeSide)) < 0.5 {
			d.Reset = After
		}
	}
	return d
}

// sane returns the link with its values in range.
func (l Link) sane() Link {
	l.Latency = max(l.Latency, 0)
	l.Jitter = min(max(l.Jitter, 0), l.Latency)
	l.Bandwidth = max(l.Bandwidth, 0)
	return l
}

// idle reports whether the link adds nothing.
func (l Link) idle() bool { return l.Latency <= 0 && l.Bandwidth <= 0 && !(l.Resets > 0) }

// chance reports whether anything is drawn at all.
func (l Link) chance() bool { return l.Jitter > 0 || l.Resets > 0 }

// Purposes of random streams.
const (
	purposeDelay = iota + 1
	purposeReset
	purposeSide
)

// stream returns a random number for one purpose of one attempt, as those of the
// mock upstream are made.
func stream(hash uint64, attempt, purpose int) uint64 {
	return rng.At(rng.At(hash, uint64(attempt)), uint64(purpose))
}
