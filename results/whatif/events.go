package whatif

// kind of an event.
type kind uint8

const (
	admitted  kind = iota // the upstream's rate limit lets the request pass
	fetched               // the answer is there
	connected             // the write has its connection
	wrote                 // the write is done
)

// event is what happens to a job.
type event struct {
	at   int64 // ns since the begin
	job  int32
	what kind
}

// events is a heap of four children a node, the earliest event on top: half as
// deep as a binary one, and a node's children lie in one cache line.
type events []event

func (h *events) push(e event) {
	q := append(*h, e)
	i := len(q) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if q[parent].at <= e.at {
			break
		}
		q[i] = q[parent]
		i = parent
	}
	q[i] = e
	*h = q
}

func (h *events) pop() event {
	q := *h
	top, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	*h = q
	if len(q) == 0 {
		return top
	}
	i := 0
	for {
		first := 4*i + 1
		if first >= len(q) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(q)); c++ {
			if q[c].at < q[least].at {
				least = c
			}
		}
		if q[least].at >= last.at {
			break
		}
		q[i] = q[least]
		i = least
	}
	q[i] = last
	return top
}

// job is an item on its way. Times are in ns since the begin.
type job struct {
	began  int64 // its fetch, with any waiting
	since  int64 // it waits, or is served
	number int32 // in the order of the starts
	host   int32
	next   int32 // in the line that it waits in; none: it is the last
}

const none = int32(-1)

// line is a first-in-first-out queue of jobs, linked through them.
type line struct {
	first, last int32
	length      int
}

func (s *simulation) join(l *line, j int32) {
	s.jobs[j].next = none
	if l.length == 0 {
		l.first = j
	} else {
		s.jobs[l.last].next = j
	}
	l.last = j
	l.length++
}

func (s *simulation) leave(l *line) (int32, bool) {
	if l.length == 0 {
		return none, false
	}
	j := l.first
	l.first = s.jobs[j].next
	l.length--
	return j, true
}

// station serves as many jobs at once as its limit says, 0: any number.
type station struct {
	limit, busy, peak int
	line              line
}

// enter says whether j is served at once; else it waits in line.
func (s *simulation) enter(at *station, j int32) bool {
	if at.limit > 0 && at.busy >= at.limit {
		s.join(&at.line, j)
		return false
	}
	at.busy++
	at.peak = max(at.peak, at.busy)
	return true
}

// exit frees the place of one and gives it to the first in line.
func (s *simulation) exit(at *station) (int32, bool) {
	j, ok := s.leave(&at.line)
	if !ok {
		at.busy--
	}
	return j, ok
}
