package experiment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"floodgate/bench/environment/target"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/profile"
)

// Profiling requests profiles of the SUT.
type Profiling struct {
	// Kinds are those of package results/profile.
	Kinds []string
	// Whole keeps the CPU time of all of the work rather than that of the window that has
	// the last peak.
	Whole bool
	// Save stores a profile under a name that is unique in the run. Its error fails the trial.
	Save func(name string, content []byte) error
}

// kinds returns the kinds; nil means none.
func (p *Profiling) kinds() []string {
	if p == nil {
		return nil
	}
	return p.Kinds
}

const (
	// profileWindow is the length of a window of CPU time. One follows the other.
	profileWindow = time.Second
	// profileTimeout bounds a request, without the window.
	profileTimeout = 5 * time.Second
	// connectProfiles bounds the wait until the server of the profiles answers.
	connectProfiles = 2 * time.Second
	// profileGiveUp is the number of failures in a row after which no more profiles of a
	// kind are requested.
	profileGiveUp = 3

	// pollInterval is the interval between looks at the measures that have peaks, and
	// countInterval that between requests for the number of goroutines.
	pollInterval  = 50 * time.Millisecond
	countInterval = 250 * time.Millisecond
	// profilePause is how many times longer the pause after profiles is than they took, and
	// leastPause the least such pause.
	profilePause = 10
	leastPause   = 100 * time.Millisecond
)

// The measures whose peaks are looked for.
const (
	peakLatency     = "latency"     // 99th percentile of the last one to two seconds, in nanoseconds
	peakDescriptors = "descriptors" // open descriptors
	peakTasks       = "tasks"       // goroutines or, where their number is unknown, threads
)

var measures = []string{peakLatency, peakDescriptors, peakTasks}

// measured holds the measures at a time, by name. One that is unknown is missing.
type measured map[string]int64

// clearly returns the least value that is clearly above another one of a measure.
func clearly(measure string, value int64) int64 {
	least := int64(4)
	if measure == peakLatency {
		least = int64(time.Millisecond)
	}
	return value + max(value/5, least)
}

// peaks finds the moments at which a measure is clearly above all moments before.
type peaks struct{ known measured }

// rises returns the measure that rose most, relative to its last peak, if one is clearly
// above it, and remembers all that are. The first moment is a peak.
func (p *peaks) rises(m measured) (measure string, rose bool) {
	first, most := p.known == nil, 0.0
	if first {
		p.known = measured{}
	}
	for _, name := range measures {
		value, ok := m[name]
		if !ok || !first && value < clearly(name, p.known[name]) {
			continue
		}
		if by := float64(value) / float64(max(p.known[name], 1)); by > most || !rose {
			measure, rose, most = name, true, by
		}
		p.known[name] = value
	}
	return measure, rose
}

// taken holds what was taken of a kind of profile.
type taken struct {
	record results.Profile
	before []byte   // as the server answered
	kept   [][]byte // the last one; with Whole all windows
	first  error
	inARow int // failures
}

// fail notes a request that failed.
func (k *taken) fail(err error) {
	k.record.Failed++
	k.inARow++
	if k.first == nil {
		k.first = err
	}
}

// givenUp reports whether no more profiles of the kind are requested.
func (k *taken) givenUp() bool { return k.inARow >= profileGiveUp }

// profiler takes the profiles of a trial. It keeps two connections, which are open before
// descriptors are first counted and closed after they are last counted, so that they never
// look like a leak.
type profiler struct {
	m        *measurement
	settings *Profiling
	base     string                          // URL of the profiles
	moment   func(at time.Duration) measured // what was seen from outside
	asks     map[string]*http.Transport      // by the purpose of a connection
	found    bool                            // the server answers
	kinds    map[string]*taken               // by name
	stopped  func()                          // ends the work; nil before it
	finished bool                            // stop was called

	mu      sync.Mutex
	highest measured
	windows peaks         // of the windows that were kept
	window  measured      // the highest values since the current window began
	risen   time.Duration // when one of them was highest
}

const (
	forMoments = "moments"
	forCPU     = "cpu"
)

// newProfiler returns the profiler of a SUT that is ready and serves its profiles at a URL.
func (m *measurement) newProfiler(settings *Profiling, base string, transport func() *http.Transport) *profiler {
	p := &profiler{m: m, settings: settings, base: base, kinds: map[string]*taken{}, highest: measured{}}
	p.asks = map[string]*http.Transport{forMoments: transport(), forCPU: transport()}
	for _, kind := range settings.Kinds {
		p.kinds[kind] = &taken{record: results.Profile{Kind: kind}}
	}
	p.moment = m.momentOutside
	return p
}

// startProfiler finds the profiles of a SUT that is ready, and connects to their server. A
// server that does not answer is recorded.
func (m *measurement) startProfiler(ctx context.Context) {
	settings := m.trials.Profiling
	if settings == nil {
		return
	}
	s := m.planned.Level.Scenario
	policy := target.Policy{Allowed: m.trials.Environment.AllowedTargets()}
	transport := func() *http.Transport { // redirects are not followed, so that nothing leaves the server
		return &http.Transport{DialContext: policy.DialContext, MaxConnsPerHost: 1, DisableCompression: true}
	}
	base, err := m.profiles, error(nil)
	switch {
	case s.IsHTTPService():
		h := m.service.http
		base, err = s.SUT.PprofURL(h.url(""))
		plain := transport
		transport = func() *http.Transport { t := plain(); t.TLSClientConfig = h.tls; return t }
	case s.SUT.Pprof != "":
		base, err = s.SUT.PprofURL("")
	case base == "":
		err = errors.New("the program does not serve profiles")
	}
	m.profiler = m.newProfiler(settings, base, transport)
	if err == nil {
		err = m.profiler.connect(ctx)
	}
	if err != nil {
		for _, k := range m.profiler.kinds {
			k.fail(err)
		}
		return
	}
	m.profiler.found = true
}

// connect opens both connections. Any answer will do: a server may have no index.
func (p *profiler) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectProfiles)
	defer cancel()
	ticker := time.NewTicker(sut.ReadyInterval)
	defer ticker.Stop()
	for _, purpose := range []string{forMoments, forCPU} {
		for {
			_, err := p.get(ctx, purpose, "/", connectProfiles)
			var unreached *unreachedError
			if !errors.As(err, &unreached) {
				break
			}
			select {
			case <-p.m.process.Exited():
				return err
			case <-ctx.Done():
				return err
			case <-ticker.C:
			}
		}
	}
	return nil
}

// get returns the content of a page of the server.
func (p *profiler) get(ctx context.Context, purpose, page string, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	address := p.base + page
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	unreached := func(err error) error {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %v", timeout)
		}
		return &unreachedError{fmt.Errorf("GET %s: %w", address, err)}
	}
	answer, err := p.asks[purpose].RoundTrip(request)
	if err != nil {
		return nil, unreached(err)
	}
	defer answer.Body.Close()
	most := int64(profile.MaxBytes)
	if answer.StatusCode != http.StatusOK {
		most = maxRefusal
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("GET %s answers %s: %s", address, answer.Status, refusal(body))
	case err != nil:
		return nil, unreached(err)
	case int64(len(body)) > most:
		return nil, fmt.Errorf("GET %s answers more than %d MiB", address, profile.MaxBytes>>20)
	}
	return body, nil
}

// maxRefusal bounds the text of an answer that is quoted, in bytes.
const maxRefusal = 200

// refusal returns the first line of an answer that is an error, such as that another CPU
// profile is being taken.
func refusal(body []byte) string {
	line := regexp.MustCompile(`[^\r\n]*`).Find(body[:min(len(body), maxRefusal)])
	return strconv.Quote(string(line))
}

// beginProfiles takes the profiles from before the work and then follows it until stop.
func (m *measurement) beginProfiles(ctx context.Context) {
	p := m.profiler
	if p == nil || !p.found {
		return
	}
	for kind, k := range p.kinds {
		if profile.Instant(kind) {
			var err error
			if k.before, err = p.get(ctx, forMoments, "/"+kind, profileTimeout); err != nil {
				k.fail(err)
			}
		}
	}
	began := time.Now()
	followed, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() { p.follow(followed, began, done) })
	if k := p.kinds[profile.CPU]; k != nil {
		both.Go(func() { p.followCPU(followed, k, began, done) })
	}
	p.stopped = func() {
		close(done)
		both.Wait() // at most a window and a timeout
		cancel()
	}
}

// stopProfiles ends the profiles when the work is done and the SUT still runs. It may be
// called again.
func (m *measurement) stopProfiles() {
	p := m.profiler
	if p == nil || p.finished {
		return
	}
	p.finished = true
	if p.stopped != nil {
		p.stopped()
	}
}

// disconnectProfiles closes the connections, after descriptors are last counted.
func (m *measurement) disconnectProfiles() {
	if m.profiler == nil {
		return
	}
	for _, t := range m.profiler.asks {
		t.CloseIdleConnections()
	}
}

// follow takes the profiles of moments at peaks until the work is done, with a last look then:
// what leaks is highest at the end.
func (p *profiler) follow(ctx context.Context, began time.Time, done <-chan struct{}) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var seen peaks
	var next, counted time.Time
	goroutines := int64(0)
	for last := false; ; {
		at := time.Since(began)
		m := p.moment(at)
		if now := time.Now(); last || now.Sub(counted) >= countInterval {
			counted = now
			goroutines = p.goroutines(ctx)
		}
		if goroutines > 0 {
			m[peakTasks] = goroutines
		}
		p.note(at, m)
		if last || time.Now().After(next) {
			if measure, rose := seen.rises(m); rose {
				pause := max(leastPause, profilePause*p.take(ctx, measure, m[measure], at))
				next = time.Now().Add(pause)
			}
		}
		if last {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-done:
			last = true
		case <-ticker.C:
		}
	}
}

// note remembers the highest values, of all and of the current window.
func (p *profiler) note(at time.Duration, m measured) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, value := range m {
		p.highest[name] = max(p.highest[name], value)
		if p.window != nil && value > p.window[name] {
			p.window[name], p.risen = value, at
		}
	}
}

// take takes a profile of each kind of a moment, and returns how long that took.
func (p *profiler) take(ctx context.Context, measure string, value int64, at time.Duration) (took time.Duration) {
	for _, kind := range p.settings.Kinds {
		k := p.kinds[kind]
		if !profile.Instant(kind) || k.givenUp() {
			continue
		}
		began := time.Now()
		content, err := p.get(ctx, forMoments, "/"+kind, profileTimeout)
		one := time.Since(began)
		took += one
		if ctx.Err() != nil {
			return took
		}
		if err != nil {
			k.fail(err)
			continue
		}
		k.inARow = 0
		k.kept = [][]byte{content}
		r := &k.record
		r.Taken, r.Took = r.Taken+1, r.Took+one
		r.At, r.Peak, r.Value = at, measure, value
	}
	return took
}

// followCPU takes windows of CPU time until the work is done, and keeps the last one with a
// new peak, or all of them.
func (p *profiler) followCPU(ctx context.Context, k *taken, began time.Time, done <-chan struct{}) {
	page := fmt.Sprintf("/profile?seconds=%d", int(profileWindow.Seconds()))
	for !k.givenUp() {
		select {
		case <-ctx.Done():
			return
		case <-done:
			return
		default:
		}
		at := time.Since(began)
		p.mu.Lock()
		p.window, p.risen = measured{}, at
		p.mu.Unlock()
		content, err := p.get(ctx, forCPU, page, profileWindow+profileTimeout)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			k.fail(err)
			select {
			case <-ctx.Done():
			case <-done:
			case <-time.After(profileWindow): // another program may be taking one
			}
			continue
		}
		k.inARow = 0
		k.record.Taken++
		p.keep(k, content, at)
	}
}

// keep keeps a window of CPU time that began at a time, if it has a new peak.
func (p *profiler) keep(k *taken, content []byte, at time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	measure, rose := p.windows.rises(p.window)
	r := &k.record
	if p.settings.Whole {
		k.kept = append(k.kept, content)
		r.Window += profileWindow
		return
	}
	if rose || k.kept == nil {
		k.kept = [][]byte{content}
		r.At, r.Window, r.Peak, r.Value = at, profileWindow, measure, p.window[measure]
	}
}

// count matches the number of goroutines on the index of net/http/pprof.
var count = regexp.MustCompile(`<td>(\d+)</td>\s*<td><a href='goroutine\?`)

// goroutines returns the number of goroutines; zero means unknown.
func (p *profiler) goroutines(ctx context.Context) int64 {
	index, err := p.get(ctx, forMoments, "/", profileTimeout)
	if err != nil {
		return 0
	}
	found := count.FindSubmatch(index)
	if found == nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(found[1]), 10, 64) // zero if it is too large
	return n
}

// momentOutside returns what is seen of the SUT from outside.
func (m *measurement) momentOutside(at time.Duration) measured {
	seen := measured{}
	if m.sampler != nil {
		if n, err := m.sampler.Count(); err == nil {
			seen[peakDescriptors] = int64(n)
		}
		if threads, _, err := m.sampler.Resources(); err == nil {
			seen[peakTasks] = int64(threads)
		}
	}
	if m.service != nil {
		t := m.service.trial
		t.mu.Lock()
		if p99 := t.recent.live(at, t.recorder.Counts()).P99; p99 > 0 {
			seen[peakLatency] = int64(p99)
		}
		t.mu.Unlock()
	}
	return seen
}

// saveProfiles cleans and stores the profiles, and adds them to the record. A profile that
// cannot be read is recorded; the error is that of Save.
func (m *measurement) saveProfiles() error {
	p := m.profiler
	if p == nil {
		return nil
	}
	for _, kind := range p.settings.Kinds {
		k := p.kinds[kind]
		r := &k.record
		content, err := k.clean(k.kept...)
		var before []byte
		if err == nil && k.before != nil {
			before, err = k.clean(k.before)
		}
		if err != nil {
			r.Error = err.Error()
			m.warn("no %s profile: %s", kind, r.Error)
			r.At, r.Window, r.Peak, r.Value = 0, 0, "", 0
			m.record.Profiles = append(m.record.Profiles, *r)
			continue
		}
		r.Highest = p.highest[r.Peak]
		r.File = fmt.Sprintf("trial-%04d-%s.pb.gz", m.planned.Index, kind)
		if err := p.settings.Save(r.File, content); err != nil {
			return fmt.Errorf("save the %s profile: %w", kind, err)
		}
		if before != nil {
			r.Before = fmt.Sprintf("trial-%04d-%s-before.pb.gz", m.planned.Index, kind)
			if err := p.settings.Save(r.Before, before); err != nil {
				return fmt.Errorf("save the %s profile: %w", kind, err)
			}
		}
		if r.Failed > 0 {
			m.warn("%d of %d %s profiles failed, the first one with: %v", r.Failed, r.Failed+r.Taken, kind, k.first)
		}
		m.record.Profiles = append(m.record.Profiles, *r)
	}
	return nil
}

// clean returns what is stored of the server's answers.
func (k *taken) clean(answers ...[]byte) ([]byte, error) {
	if len(answers) == 0 {
		if k.first == nil {
			return nil, errors.New("the work ended before one was taken")
		}
		return nil, k.first
	}
	var all []*profile.Profile
	for _, a := range answers {
		one, err := profile.Clean(k.record.Kind, a)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	sum, err := profile.Merge(all...)
	if err != nil {
		return nil, err
	}
	return sum.Bytes()
}
