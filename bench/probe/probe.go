// Package probe watches a process from outside: how many file descriptors it
// has open and what they lead to, its memory, threads and CPU time.
//
// Counting is cheap and done at every interval: on Linux from 6.2 on it is one
// fstat. Telling the kinds apart reads every link in /proc/<pid>/fd and the
// kernel's table of TCP sockets. It is done at every new peak that exceeds the
// last classified one by 10 % and by two at least, though not sooner than 25 ms
// after the last time, and besides every 100 ms, or less often where that
// would take more than 2 % of a core. Waking up every 5 ms costs more than that
// on most machines. A peak shorter than the interval can be missed: what the
// process counts itself has the final say on those.
//
// Without /proc the count, memory and threads come from gopsutil, and the
// kinds are unavailable.
package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Target is a process and the servers by which its sockets are told apart.
type Target struct {
	PID int
	// Upstream and Mongo are the addresses of the servers; a replica set or a
	// name has several.
	Upstream, Mongo []netip.AddrPort
}

// Options of a sampler. The zero value is what a trial needs.
type Options struct {
	// Interval between counts. Default 5ms.
	Interval time.Duration
	// ClassifyEvery is the least time between classifications that are not at
	// a new peak, and between looks at memory and threads. Default 100ms.
	ClassifyEvery time.Duration
	// NoProc uses what is used on systems without /proc.
	NoProc bool
}

// Kinds counts descriptors by what they lead to.
type Kinds struct {
	// Upstream and Mongo are TCP sockets connected or connecting there.
	Upstream, Mongo int
	// Runtime are those by which the language's runtime waits for events.
	Runtime Runtime
	// Other are all others: files, pipes, sockets to elsewhere.
	Other int
}

// Report is what a sampler saw.
type Report struct {
	// Peak is the highest count, PeakAt when it was seen first, since Start.
	Peak   int
	PeakAt time.Duration
	// Kinds are the highest counts of each kind, each at its own time; nil
	// where kinds are unavailable.
	Kinds *Kinds
	// Samples is the number of counts, Classified the number of counts by kind.
	Samples, Classified int
	// PeakRSS in bytes is the kernel's own high-water mark where there is one.
	PeakRSS int64
	// Threads is the highest number seen.
	Threads int
	// User and System are CPU times as last seen, in steps of 10 ms on Linux;
	// the rusage of whoever waits for the process is exact.
	User, System time.Duration
	// Gone reports that the process ended before the sampling.
	Gone bool
	// Busy is the time that the sampling itself took.
	Busy time.Duration
}

// ErrGone is returned for a process that has ended.
var ErrGone = errors.New("the process has ended")

// source is a way to look at a process. Its methods return ErrGone, wrapped or
// not, when the process has ended, and may be called at the same time.
type source interface {
	count() (int, error)
	// kinds is nil without an error where kinds are unavailable.
	kinds() (*Kinds, error)
	resources() (resources, error)
	close() error
}

// resources of a process. peakRSS is the highest so far where known, else the present one.
type resources struct {
	peakRSS, rss int64
	threads      int
	user, system time.Duration
}

// Sampler watches one process until Stop.
type Sampler struct {
	options Options
	source  source
	start   time.Time
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once

	// Of the sampling goroutine, until done is closed.
	report     Report
	classified int       // the highest count that was classified
	classifyAt       time.Time // when to classify without a new peak
	notBefore    time.Time // not even at a new peak before
}

// Start begins to watch. It fails when there is no such process.
func Start(t Target, o Options) (*Sampler, error) {
	if o.Interval <= 0 {
		o.Interval = 5 * time.Millisecond
	}
	if o.ClassifyEvery <= 0 {
		o.ClassifyEvery = 100 * time.Millisecond
	}
	open := openSource
	if o.NoProc {
		open = openPortable
	}
	src, err := open(t)
	if err != nil {
		return nil, fmt.Errorf("probe process %d: %w", t.PID, err)
	}
	s := &Sampler{options: o, source: src, start: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	if s.sample(s.start) {
		go s.run()
	} else {
		close(s.done)
	}
	return s, nil
}

// Stop takes a last look, ends the sampling and returns what was seen. Further
// calls return the same.
func (s *Sampler) Stop() Report {
	s.once.Do(func() {
		close(s.stop)
		<-s.done
		_ = s.source.close()
	})
	<-s.done
	return s.report
}

func (s *Sampler) run() {
	defer close(s.done)
	ticker := time.NewTicker(s.options.Interval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			if !s.sample(now) {
				return
			}
		case <-s.stop:
			s.classifyAt = time.Time{} // classify once more
			s.sample(time.Now())
			return
		}
	}
}

// sample looks once. It returns false when there is nothing left to look at.
func (s *Sampler) sample(now time.Time) bool {
	began := time.Now()
	defer func() { s.report.Busy += time.Since(began) }()
	n, err := s.source.count()
	if err != nil {
		s.report.Gone = errors.Is(err, ErrGone)
		return false
	}
	s.report.Samples++
	if n > s.report.Peak {
		s.report.Peak, s.report.PeakAt = n, now.Sub(s.start)
	}
	grown := n - s.classified
	if now.Before(s.classifyAt) && (grown < 2 || grown*10 < s.classified || now.Before(s.notBefore)) {
		return true
	}
	s.classify(n)
	s.classifyAt = now.Add(max(s.options.ClassifyEvery, 50*time.Since(began)))
	s.notBefore = now.Add(s.options.ClassifyEvery / 4)
	return true
}

// classify classifies the descriptors, of which there are n, and reads memory,
// threads and CPU time. An error leaves what was seen before.
func (s *Sampler) classify(n int) {
	if k, err := s.source.kinds(); err == nil && k != nil {
		s.report.Classified++
		if s.report.Kinds == nil {
			s.report.Kinds = &Kinds{}
		}
		s.report.Kinds.max(*k)
	}
	s.classified = max(s.classified, n)
	if r, err := s.source.resources(); err == nil {
		s.report.PeakRSS = max(s.report.PeakRSS, r.peakRSS)
		s.report.Threads = max(s.report.Threads, r.threads)
		s.report.User, s.report.System = r.user, r.system
	}
}

func (k *Kinds) max(o Kinds) {
	k.Upstream = max(k.Upstream, o.Upstream)
	k.Mongo = max(k.Mongo, o.Mongo)
	for i := range k.Runtime {
		k.Runtime[i] = max(k.Runtime[i], o.Runtime[i])
	}
	k.Other = max(k.Other, o.Other)
}

// Count returns the number of descriptors that are open now. Not after Stop.
func (s *Sampler) Count() (int, error) {
	n, err := s.source.count()
	if err != nil {
		return 0, fmt.Errorf("count descriptors: %w", err)
	}
	return n, nil
}

// Resources returns the present number of threads and the resident memory in bytes. Not after Stop.
func (s *Sampler) Resources() (threads int, rss int64, err error) {
	r, err := s.source.resources()
	if err != nil {
		return 0, 0, fmt.Errorf("look at resources: %w", err)
	}
	return r.threads, r.rss, nil
}

// Classify counts the descriptors that are open now by kind; nil where kinds
// are unavailable. Not after Stop.
func (s *Sampler) Classify() (*Kinds, error) {
	k, err := s.source.kinds()
	if err != nil {
		return nil, fmt.Errorf("classify descriptors: %w", err)
	}
	return k, nil
}

// WaitFor waits until at most count descriptors are open, and returns how many
// are; more than count when the timeout came first. Not after Stop.
func (s *Sampler) WaitFor(count int, timeout time.Duration) (int, error) {
	ticker := time.NewTicker(s.options.Interval)
	defer ticker.Stop()
	deadline := time.Now().Add(timeout)
	for {
		n, err := s.Count()
		if err != nil || n <= count || !time.Now().Before(deadline) {
			return n, err
		}
		<-ticker.C
	}
}
