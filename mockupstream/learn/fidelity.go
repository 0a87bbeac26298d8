package learn

import (
	"cmp"
	"container/heap"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/mockupstream"
)

// Fidelity compares a recording with a simulation of the mock.
type Fidelity struct {
	Rows []Row `json:"rows"`
	// Reproduced reports that every row is within its tolerance.
	Reproduced bool `json:"reproduced"`
	// Simulated is the number of requests that were simulated.
	Simulated int `json:"simulated"`
}

// Unit is the unit of a row.
type Unit string

// Units.
const (
	Nanoseconds Unit = "ns"
	Bytes       Unit = "bytes"
	Share       Unit = "share"
	Requests    Unit = "requests"
)

// Row compares one figure of a recording with that of the mock.
type Row struct {
	Name string `json:"name"`
	Unit Unit   `json:"unit"`
	// Recorded and Reproduced are in Unit.
	Recorded   float64 `json:"recorded"`
	Reproduced float64 `json:"reproduced"`
	// Low and High bound the recorded figure with a confidence of 95 %: they are
	// order statistics for a quantile (exact for any distribution), and Wilson's
	// interval for a share. Both are zero for a figure that is not judged.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
	// Within reports that Reproduced is between Low and High, or deviates by no
	// more than 10 %, or 1 percentage point for a share. It is true for a figure
	// that is not judged.
	Within bool `json:"within"`
}

// Deviation returns by how much Reproduced exceeds Recorded: the ratio less 1, or
// the difference for a share. If Recorded is zero, it is 1, or 0 if both are.
func (r Row) Deviation() float64 {
	switch {
	case r.Unit == Share:
		return r.Reproduced - r.Recorded
	case r.Recorded == 0 && r.Reproduced == 0:
		return 0
	case r.Recorded == 0:
		return 1
	}
	return r.Reproduced/r.Recorded - 1
}

// Verdict returns whether the mock reproduces the recording, in one sentence.
func (f *Fidelity) Verdict() string {
	var off []string
	for _, r := range f.Rows {
		switch {
		case r.Within:
		case r.Unit == Share:
			off = append(off, fmt.Sprintf("%s (%+.1f points)", r.Name, 100*r.Deviation()))
		default:
			off = append(off, fmt.Sprintf("%s (%+.0f %%)", r.Name, 100*r.Deviation()))
		}
	}
	if len(off) == 0 {
		return "The mock reproduces the recording: every figure is within 10 % or the uncertainty of the recording."
	}
	return "The mock does not reproduce the whole recording; it deviates in " + strings.Join(off, ", ") + "."
}

// distance returns the sum of the relative deviations of the latencies.
func (f *Fidelity) distance() float64 {
	sum := 0.0
	for _, r := range f.Rows {
		if r.Unit == Nanoseconds {
			sum += math.Abs(r.Deviation())
		}
	}
	return sum
}

// Bounds of a simulation: it repeats a short recording with other seeds.
const (
	minSimulated = 20_000
	maxSimulated = 100_000
	maxRepeated  = 200
)

// Compare simulates the mock with the profile under the recorded load, and compares the
// results. It is a pure function: it sends nothing, and does not include the mock's own
// lateness; see [mockupstream.Stats].
//
// Every request of the recording belongs to a client, which starts it some time after the
// end of its previous one. The simulated clients keep that pause, so the concurrency is
// that of the recording, and slower answers lead to fewer requests. After a pause that is
// longer than 99 % of the answers take, a client starts at the recorded time, provided
// that its previous request has ended: the load rises and falls when it did in the
// recording.
func Compare(r Recording, p mockupstream.Profile) (*Fidelity, error) {
	exchanges := r.Exchanges
	if len(exchanges) > maxSimulated {
		exchanges = exchanges[:maxSimulated]
	}
	if len(exchanges) == 0 {
		return nil, &TooFewError{}
	}
	recorded, simulated := newSample(r.Exchanges), sample{shares: map[string]int{}}
	long := time.Duration(math.MaxInt64)
	if len(recorded.last) > 0 {
		long = quantile(recorded.last, 0.99)
	}
	plan := clientsOf(exchanges, long)
	repeats := min(max((minSimulated+len(exchanges)-1)/len(exchanges), 1), maxRepeated)
	for repeat := range repeats {
		if err := simulated.simulate(plan, p, uint64(repeat+1)); err != nil {
			return nil, err
		}
	}
	simulated.sort()
	f := &Fidelity{Rows: compare(recorded, &simulated), Reproduced: true, Simulated: simulated.requests}
	for _, row := range f.Rows {
		f.Reproduced = f.Reproduced && row.Within
	}
	return f, nil
}

// client is a sequence of requests that do not overlap.
type client struct{ requests []request }

// request starts a pause after the end of the client's previous one, but not before the
// time at.
type request struct{ pause, at time.Duration }

// start returns the start of the request if the client's previous one ended at the given
// time.
func (r request) start(ended time.Duration) time.Duration { return max(ended+r.pause, r.at) }

// clientsOf assigns each exchange to the client whose previous one ended most recently,
// or to a new one if all are busy. Pauses that are longer than long end at the recorded
// time.
func clientsOf(exchanges []Exchange, long time.Duration) []client {
	var clients []client
	var busy, idle events // idle: in the order of their ends
	for i := range exchanges {
		e := &exchanges[i]
		for len(busy) > 0 && busy[0].at <= e.Start {
			idle = append(idle, heap.Pop(&busy).(event))
		}
		var next event
		if n := len(idle); n > 0 {
			next = idle[n-1]
			idle = idle[:n-1]
		} else {
			next = event{client: len(clients)}
			clients = append(clients, client{})
		}
		c := &clients[next.client]
		planned := request{pause: e.Start - next.at}
		if len(c.requests) == 0 || planned.pause > long {
			planned = request{at: e.Start}
		}
		c.requests = append(c.requests, planned)
		heap.Push(&busy, event{at: max(e.End, e.Start), client: next.client})
	}
	return clients
}

// event is the time of the next request of a client.
type event struct {
	at     time.Duration
	client int
}

// events is a heap with the earliest event first.
type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].at, e[j].at), cmp.Compare(e[i].client, e[j].client)) < 0
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// sample holds the figures that are compared.
type sample struct {
	requests    int
	first, last []time.Duration // of complete answers without an error status
	sizes       []int64
	shares      map[string]int // requests by their outcome
	busy, took  time.Duration
}

const answered = "answered"

func newSample(exchanges []Exchange) *sample {
	s := &sample{shares: map[string]int{}}
	r := Recording{Exchanges: exchanges}
	s.took = r.Duration()
	var answers []time.Duration
	for i := range exchanges {
		if e := &exchanges[i]; e.answered() {
			answers = append(answers, e.latency())
		}
	}
	longest := slices.Max(append(answers, 0))
	for i := range exchanges {
		e := &exchanges[i]
		s.busy += e.End - e.Start
		fault, ok := e.fault(longest)
		if !ok {
			continue
		}
		s.count(&fault)
		if e.answered() {
			s.first, s.last, s.sizes = append(s.first, e.latency()), append(s.last, e.End-e.Start), append(s.sizes, e.Bytes)
		}
	}
	s.sort()
	return s
}

// count counts a request by its fault, if its kind is not empty.
func (s *sample) count(f *mockupstream.Fault) {
	s.requests++
	switch {
	case f == nil || f.Kind == "":
		s.shares[answered]++
	case f.Kind == "status":
		s.shares["status "+strconv.Itoa(f.Status)]++
	default:
		s.shares[f.Kind]++
	}
}

func (s *sample) sort() {
	slices.Sort(s.first)
	slices.Sort(s.last)
	slices.Sort(s.sizes)
}

// simulate adds the requests of the clients to the sample.
func (s *sample) simulate(clients []client, p mockupstream.Profile, seed uint64) error {
	mock, err := mockupstream.NewSimulator(p, seed)
	if err != nil {
		return err
	}
	done := make([]int, len(clients))
	next := make(events, 0, len(clients))
	for i, c := range clients {
		next = append(next, event{at: c.requests[0].at, client: i})
	}
	heap.Init(&next)
	first := next[0].at
	var end time.Duration
	for n := 0; len(next) > 0; n++ {
		e := next[0]
		o := mock.Request(e.at, strconv.Itoa(n))
		fault := o.Fault
		if fault == nil && o.Status >= 400 {
			fault = &mockupstream.Fault{Kind: "status", Status: o.Status}
		}
		s.count(fault)
		if fault == nil {
			s.first, s.last, s.sizes = append(s.first, o.First), append(s.last, o.Last), append(s.sizes, bytesOf(o.Records))
		}
		s.busy += o.Last
		end = max(end, e.at+o.Last)
		if done[e.client]++; done[e.client] == len(clients[e.client].requests) {
			heap.Pop(&next)
			continue
		}
		next[0].at = clients[e.client].requests[done[e.client]].start(e.at + o.Last)
		heap.Fix(&next, 0)
	}
	s.took += end - first
	return nil
}

// Tolerances: relative, and for shares in percentage points.
const (
	tolerance      = 0.10
	shareTolerance = 0.01
)

func compare(recorded, simulated *sample) []Row {
	var rows []Row
	for _, q := range []float64{0.50, 0.95, 0.99} {
		rows = append(rows, quantileRow("first byte", Nanoseconds, q, recorded.first, simulated.first))
	}
	for _, q := range []float64{0.50, 0.99} {
		rows = append(rows, quantileRow("last byte", Nanoseconds, q, recorded.last, simulated.last))
	}
	for _, q := range []float64{0.50, 0.95} {
		rows = append(rows, quantileRow("body", Bytes, q, recorded.sizes, simulated.sizes))
	}
	names := map[string]bool{answered: true}
	for _, s := range []*sample{recorded, simulated} {
		for name := range s.shares {
			names[name] = true
		}
	}
	order := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		switch {
		case a == answered:
			return -1
		case b == answered:
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, name := range order {
		rows = append(rows, shareRow(name, recorded, simulated))
	}
	load := func(s *sample) float64 { return float64(s.busy) / float64(max(s.took, 1)) }
	return append(rows, Row{Name: "in flight, mean", Unit: Requests, Recorded: load(recorded), Reproduced: load(simulated), Within: true})
}

func quantileRow[T ~int64](name string, unit Unit, q float64, recorded, simulated []T) Row {
	row := Row{Name: fmt.Sprintf("%s p%g", name, 100*q), Unit: unit, Within: true}
	if len(recorded) == 0 || len(simulated) == 0 {
		return row
	}
	n := float64(len(recorded))
	spread := z95 * math.Sqrt(n*q*(1-q))
	at := func(r float64) float64 { return float64(recorded[int(min(max(r, 0), n-1))]) }
	row.Recorded, row.Reproduced = float64(quantile(recorded, q)), float64(quantile(simulated, q))
	row.Low, row.High = at(math.Floor(n*q-spread)-1), at(math.Ceil(n*q+spread))
	row.Within = math.Abs(row.Deviation()) <= tolerance || row.Low <= row.Reproduced && row.Reproduced <= row.High
	return row
}

func shareRow(name string, recorded, simulated *sample) Row {
	n, p := float64(recorded.requests), float64(recorded.shares[name])/float64(max(recorded.requests, 1))
	row := Row{Name: name, Unit: Share, Recorded: p, Reproduced: float64(simulated.shares[name]) / float64(max(simulated.requests, 1))}
	// E. B. Wilson, Journal of the American Statistical Association 22, 1927.
	middle, half := p+z95*z95/(2*n), z95*math.Sqrt(p*(1-p)/n+z95*z95/(4*n*n))
	row.Low, row.High = max(middle-half, 0)/(1+z95*z95/n), (middle+half)/(1+z95*z95/n)
	row.Within = math.Abs(row.Deviation()) <= shareTolerance || row.Low <= row.Reproduced && row.Reproduced <= row.High
	return row
}

// Learned is everything about a profile that was learned from a recording.
type Learned struct {
	Origin
	// File is the path of the written profile.
	File string `json:"file"`
	*Fitted
	Fidelity *Fidelity `json:"fidelity"`
}
