package dbproxy

import (
	"math"
	"time"

	"floodgate/mockupstream/rng"
)

// Link describes the delays and faults of the connection to the database. The zero value adds
// none.
type Link struct {
	// Latency is added to every command with documents, and Jitter spreads it evenly from
	// Latency − Jitter to Latency + Jitter. A jitter above the latency counts as the
	// latency, and negative values as none.
	Latency time.Duration `json:"latency_ns,omitempty"`
	Jitter  time.Duration `json:"jitter_ns,omitempty"`
	// Bandwidth in bytes per second and direction, shared by all connections; zero means unlimited.
	Bandwidth int64 `json:"bandwidth,omitempty"`
	// Resets is the probability, 0 to 1, that a command's connection is reset.
	Resets float64 `json:"resets,omitempty"`
	// Seed of all draws.
	Seed uint64 `json:"seed,omitempty"`
}

// Draw holds the random decisions about one command.
type Draw struct {
	// Delay of the command, in addition to the time that the bandwidth takes.
	Delay time.Duration
	// Reset of the client's connection: Before instead of passing the command on, or After
	// instead of passing its answer on.
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

// Draw returns the draw for an attempt, counted from 1, at a key, as a pure function of the
// link and the arguments. Delay, reset and its side have independent random streams, so that
// changing one setting does not change the other draws.
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

// sane returns the link with its values clamped to their ranges.
func (l Link) sane() Link {
	l.Latency = max(l.Latency, 0)
	l.Jitter = min(max(l.Jitter, 0), l.Latency)
	l.Bandwidth = max(l.Bandwidth, 0)
	return l
}

// idle reports whether the link adds nothing.
func (l Link) idle() bool { return l.Latency <= 0 && l.Bandwidth <= 0 && !(l.Resets > 0) }

// chance reports whether any decision is random.
func (l Link) chance() bool { return l.Jitter > 0 || l.Resets > 0 }

// Purposes of random streams.
const (
	purposeDelay = iota + 1
	purposeReset
	purposeSide
)

// stream returns a random number for one purpose of one attempt, in the same way as the mock
// upstream.
func stream(hash uint64, attempt, purpose int) uint64 {
	return rng.At(rng.At(hash, uint64(attempt)), uint64(purpose))
}
