package experiment

import (
	"time"

	"floodgate/results"
)

// maxSamples bounds the series of a trial: ten minutes of ticks. A longer one
// has fewer to the second.
const maxSamples = 6000

// series collects that of a trial in bounded memory. The zero value is empty.
type series struct {
	results.Series
	every int // of so many ticks one is taken; 0: each
	left  int // ticks until the next one is
}

// add appends a sample.
func (s *series) add(at time.Duration, values map[results.Column]int64) {
	if s.left > 0 {
		s.left--
		return
	}
	if len(s.At) == maxSamples {
		s.thin()
	}
	s.left = max(s.every-1, 0)
	s.Append(at, values)
}

// thin drops every other sample, and has half as many come from now on.
func (s *series) thin() {
	s.every = 2 * max(s.every, 1)
	s.At = halved(s.At)
	for c, values := range s.Columns {
		s.Columns[c] = halved(values)
	}
}

func halved(values []int64) []int64 {
	for i := range len(values) / 2 {
		values[i] = values[2*i]
	}
	return values[:len(values)/2]
}
