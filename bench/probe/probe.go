// Package probe watches a process from outside: the number and kinds of its open
// file descriptors, its memory, threads and CPU time:
//
//	s, err := probe.Start(probe.Target{PID: pid, Upstream: addrs}, probe.Options{})
//	…
//	r := s.Stop()
//	fmt.Println(r.Peak, r.Kinds.Upstream) // 23 10: of 23 descriptors, 10 led to the upstream
//
// Every 5 ms it counts the descriptors, on Linux since 6.2 with a single fstat.
// Classifying them is more expensive, because it reads every link in /proc/<pid>/fd
// and the kernel's table of TCP sockets. It happens every 100 ms, or less often if that
// would take more than 2 % of a core, and at every new peak that exceeds the last
// classified one by 10 % and by at least two, but not within 25 ms of the last time. A
// peak shorter than the interval can be missed; the process's own counts are exact.
//
// A process can watch itself: the descriptors of its sampler do not count.
//
// Without /proc, count, memory and threads come from gopsutil, and the kinds are
// unavailable.
package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"floodgate/results/fleet"
)

// Target is a process and the servers by which its sockets are classified.
type Target struct {
	PID int
	// Upstream and Mongo are the addresses of the servers. A replica set or a host name
	// may have several.
	Upstream, Mongo []netip.AddrPort
}

// Options of a sampler. The zero value suits a trial.
type Options struct {
	// Interval between counts. Default 5ms.
	Interval time.Duration
	// ClassifyEvery is the least time between classifications, except at new peaks, and
	// between readings of memory and threads. Default 100ms.
	ClassifyEvery time.Duration
	// Trace keeps the changes of the counts and of the memory; see [Report].
	Trace bool
	// NoProc does not use /proc even if it exists.
	NoProc bool
}

// Kinds counts descriptors by what they lead to.
type Kinds struct {
	// Upstream and Mongo count the TCP sockets that are connected or connecting to them.
	Upstream, Mongo int
	// Runtime counts the descriptors by which the language's runtime waits for events.
	Runtime Runtime
	// Other counts the rest: files, pipes, other sockets.
	Other int
}

// Report is the result of a sampler.
type Report struct {
	// Peak is the highest count, and PeakAt the time from Start until it was first seen.
	Peak   int
	PeakAt time.Duration
	// Kinds holds the highest count of each kind, not necessarily seen at the same
	// time; nil means that kinds are unavailable.
	Kinds *Kinds
	// Samples is the number of counts, and Classified the number of classifications.
	Samples, Classified int
	// PeakRSS is the highest resident memory in bytes, from the kernel's own high-water
	// mark if it has one.
	PeakRSS int64
	// Threads is the highest number of threads.
	Threads int
	// User and System are the last CPU times, with a resolution of 10 ms on Linux. The
	// rusage of the waiting parent is exact.
	User, System time.Duration
	// Started is the time of Start. Counts and RSS are the changes of the number of
	// descriptors and of the resident memory since then; nil without Options.Trace. They
	// end with zero if the process ended before the sampler.
	Started     time.Time
	Counts, RSS []fleet.Sample
	// Exited reports that the process ended before the sampler.
	Exited bool
	// Busy is the time spent on sampling.
	Busy time.Duration
}

// ErrExited is returned for a process that has ended.
var ErrExited = errors.New("the process has ended")

// source reads the figures of a process. Its methods return ErrExited, possibly wrapped,
// when the process has ended, and may be called concurrently.
type source interface {
	count() (int, error)
	// kinds returns nil if kinds are unavailable.
	kinds() (*Kinds, error)
	resources() (resources, error)
	close() error
}

// resources of a process. peakRSS is the highest value so far, or the current one if
// that is unknown.
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

	// The following belongs to the sampling goroutine until done is closed.
	report     Report
	classified int       // the highest classified count
	classifyAt time.Time // when to classify without a new peak
	notBefore  time.Time // no classification before, even at a new peak
}

// Start starts watching. It returns an error wrapping [ErrExited] if there is no such process.
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
	s.report.Started = s.start
	if s.sample(s.start) {
		go s.run()
	} else {
		close(s.done)
	}
	return s, nil
}

// Stop takes a last sample and returns the report. Further calls return the same one.
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

// sample takes one sample. It returns false when the process has ended.
func (s *Sampler) sample(now time.Time) bool {
	began := time.Now()
	defer func() { s.report.Busy += time.Since(began) }()
	n, err := s.source.count()
	if err != nil {
		if s.report.Exited = errors.Is(err, ErrExited); s.report.Exited {
			s.trace(&s.report.Counts, now, 0)
			s.trace(&s.report.RSS, now, 0)
		}
		return false
	}
	s.report.Samples++
	s.trace(&s.report.Counts, now, int64(n))
	if n > s.report.Peak {
		s.report.Peak, s.report.PeakAt = n, now.Sub(s.start)
	}
	grown := n - s.classified
	if now.Before(s.classifyAt) && (grown < 2 || grown*10 < s.classified || now.Before(s.notBefore)) {
		return true
	}
	s.classify(n, now)
	s.classifyAt = now.Add(max(s.options.ClassifyEvery, 50*time.Since(began)))
	s.notBefore = now.Add(s.options.ClassifyEvery / 4)
	return true
}

// trace adds a value to a series if it differs from the last one.
func (s *Sampler) trace(series *[]fleet.Sample, now time.Time, value int64) {
	if last := len(*series) - 1; s.options.Trace && (last < 0 || (*series)[last].Value != value) {
		*series = append(*series, fleet.Sample{At: now.Sub(s.start), Value: value})
	}
}

// classify classifies the n descriptors and reads memory, threads and CPU time. After
// an error the previous values stay.
func (s *Sampler) classify(n int, now time.Time) {
	if k, err := s.source.kinds(); err == nil && k != nil {
		s.report.Classified++
		if s.report.Kinds == nil {
			s.report.Kinds = &Kinds{}
		}
		s.report.Kinds.mergeMax(*k)
	}
	s.classified = max(s.classified, n)
	if r, err := s.source.resources(); err == nil {
		s.report.PeakRSS = max(s.report.PeakRSS, r.peakRSS)
		s.trace(&s.report.RSS, now, r.rss)
		s.report.Threads = max(s.report.Threads, r.threads)
		s.report.User, s.report.System = r.user, r.system
	}
}

// mergeMax raises each count to that of o.
func (k *Kinds) mergeMax(o Kinds) {
	k.Upstream = max(k.Upstream, o.Upstream)
	k.Mongo = max(k.Mongo, o.Mongo)
	for i := range k.Runtime {
		k.Runtime[i] = max(k.Runtime[i], o.Runtime[i])
	}
	k.Other = max(k.Other, o.Other)
}

// Count returns the current number of descriptors. It must not be called after Stop.
func (s *Sampler) Count() (int, error) {
	n, err := s.source.count()
	if err != nil {
		return 0, fmt.Errorf("count descriptors: %w", err)
	}
	return n, nil
}

// Resources returns the current number of threads and the resident memory in bytes. It
// must not be called after Stop.
func (s *Sampler) Resources() (threads int, rss int64, err error) {
	r, err := s.source.resources()
	if err != nil {
		return 0, 0, fmt.Errorf("look at resources: %w", err)
	}
	return r.threads, r.rss, nil
}

// Classify counts the current descriptors by kind; nil means that kinds are
// unavailable. It must not be called after Stop.
func (s *Sampler) Classify() (*Kinds, error) {
	k, err := s.source.kinds()
	if err != nil {
		return nil, fmt.Errorf("classify descriptors: %w", err)
	}
	return k, nil
}

// WaitFor waits until at most count descriptors are open, or until the timeout, and
// returns the number of open ones. It must not be called after Stop.
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
