package generator

import (
	"errors"
	"fmt"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/load"
)

// batch holds events of an attack in their order.
type batch struct {
	// Events are numbers: of a request that is due eventDue, its number and when, and of one
	// that has ended eventEnded and those of its fields in the order of [load.Ended], or
	// eventTraced with its moments after them.
	// Times are in ns, and texts are positions in Texts from 1, or 0 for none.
	Events []int64 `json:"events,omitempty"`
	// Texts are the types and messages of errors.
	Texts []string `json:"texts,omitempty"`
	// Results are vegeta's own.
	Results []*vegeta.Result `json:"results,omitempty"`
	// Over means that the attack is over and that these are the last events. Error is its
	// error; empty means that there was none.
	Over  bool   `json:"over,omitempty"`
	Error string `json:"error,omitempty"`

	positions map[string]int64 // of Texts
	bytes     int              // of Results, about
}

const (
	eventDue    = 1
	eventEnded  = 2
	eventTraced = 3

	dueNumbers    = 3
	endedNumbers  = 8
	tracedNumbers = 10

	fullNumbers = 50_000  // of a batch that is full: well below what a line may hold
	fullBytes   = 8 << 20 // of the results of such a batch
	resultBytes = 1 << 10 // of a result beside its body, about
)

// full reports whether a batch has as many events as a message should have.
func (b *batch) full() bool { return len(b.Events) >= fullNumbers || b.bytes >= fullBytes }

func (b *batch) due(d load.Due) {
	b.Events = append(b.Events, eventDue, int64(d.Seq), int64(d.Intended))
}

func (b *batch) ended(e load.Ended) {
	kind := int64(eventEnded)
	traced := e.Connected != 0 || e.FirstByte != 0
	if traced {
		kind = eventTraced
	}
	b.Events = append(b.Events, kind, int64(e.Report), int64(e.Intended), int64(e.Begun), int64(e.At), int64(e.Code), b.position(e.Error), b.position(e.Text))
	if traced {
		b.Events = append(b.Events, int64(e.Connected), int64(e.FirstByte))
	}
}

func (b *batch) keep(r *vegeta.Result) {
	b.Results = append(b.Results, r)
	b.bytes += len(r.Body) + resultBytes
}

// position returns that of a text, which it adds if need be.
func (b *batch) position(text string) int64 {
	if text == "" {
		return 0
	}
	if at, known := b.positions[text]; known {
		return at
	}
	if b.positions == nil {
		b.positions = map[string]int64{}
	}
	b.Texts = append(b.Texts, text)
	b.positions[text] = int64(len(b.Texts))
	return b.positions[text]
}

// each passes on all events in their order, and then the results, whose clock is ahead by
// offset. It is an error if the batch is not one that a generator makes; some events may
// then have been passed on.
func (b *batch) each(to Events, offset time.Duration) error {
	var bad error
	text := func(position int64) string {
		switch {
		case position == 0:
			return ""
		case position < 0 || position > int64(len(b.Texts)):
			bad = fmt.Errorf("events of a load generator: text %d of %d", position, len(b.Texts))
			return ""
		}
		return b.Texts[position-1]
	}
	for v := b.Events; len(v) > 0; {
		switch {
		case v[0] == eventDue && len(v) >= dueNumbers:
			if to.Due != nil {
				to.Due(load.Due{Seq: uint64(v[1]), Intended: time.Duration(v[2])})
			}
			v = v[dueNumbers:]
		case v[0] == eventEnded && len(v) >= endedNumbers || v[0] == eventTraced && len(v) >= tracedNumbers:
			e := load.Ended{
				Report: uint64(v[1]), Intended: time.Duration(v[2]), Begun: time.Duration(v[3]), At: time.Duration(v[4]),
				Code: int(v[5]), Error: text(v[6]), Text: text(v[7]),
			}
			if bad != nil {
				return bad
			}
			length := endedNumbers
			if v[0] == eventTraced {
				e.Connected, e.FirstByte = time.Duration(v[8]), time.Duration(v[9])
				length = tracedNumbers
			}
			if to.Ended != nil {
				to.Ended(e)
			}
			v = v[length:]
		default:
			return fmt.Errorf("events of a load generator: kind %d with %d numbers", v[0], len(v))
		}
	}
	for _, r := range b.Results {
		if r == nil {
			return errors.New("results of a load generator: one is missing")
		}
		if to.Keep != nil {
			r.Timestamp = r.Timestamp.Add(-offset)
			to.Keep(r)
		}
	}
	return nil
}
