// Package results holds the record of a run and its crash-safe store.
//
// A run lives in a folder of its own, in one file run.jsonl of JSON lines: a
// [Header], a [Trial] a line as each ends, and a footer once all are there. A
// line counts from the moment that its newline is on disk: [Store.Append]
// returns after that, so a kill at any time loses at most the trial that was
// running. What was stored reads back as it was: [Open] checks every line,
// names file and line of whatever is damaged, and tolerates nothing but an
// unfinished last line.
//
// The packages below it turn a run into statistics (stats, summary), a
// verdict (gate) and text (report).
package results

import (
	"encoding/json"
	"fmt"
	"time"
)

// Schema is the version of the record that this package writes.
const Schema = 2

// Run is one stored run: what was asked, where it ran, and its trials.
type Run struct {
	Header Header
	Trials []Trial
	// Complete reports that every planned trial has a record.
	Complete bool
	// Path of the file it was read from; empty for a run that was not.
	Path string
	// Warnings say what was tolerated in reading it, such as a torn last line.
	Warnings []string

	scenario *decoded // by Run.Scenario
}

// Header is the first line of a run's file.
type Header struct {
	Schema  int       `json:"schema"`
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	// Scenario is the scenario as it ran (after --quick), as JSON; Hash is the
	// SHA-256 of that JSON in hexadecimal. See [Header.SetScenario].
	Scenario     json.RawMessage `json:"scenario"`
	ScenarioName string          `json:"scenario_name"`
	Hash         string          `json:"scenario_hash"`
	Seed         uint64          `json:"seed"`
	Quick        bool            `json:"quick,omitempty"`
	// Planned is the number of trials of the whole run; of a plan's search, the
	// most that there may be.
	Planned int `json:"planned"`
	// Search reports that the trials are those of a search ("floodgate plan"): they
	// are at levels of its own, and the run never says that it is complete.
	Search      bool        `json:"search,omitempty"`
	Environment Environment `json:"environment"`
	Fingerprint Fingerprint `json:"fingerprint"`
	// SUT is the revision of the program under test; nil means Floodgate's own,
	// whose revision is in Fingerprint.
	SUT *SUT `json:"sut,omitempty"`
	// Command of floodgate that runs it again, a word each, without addresses of
	// servers; empty means unknown.
	Command []string `json:"command,omitempty"`
}

// Environment names where the upstream and the database came from.
type Environment struct {
	Kind     string `json:"kind"`     // embedded, containers or external
	Database string `json:"database"` // product and version
	Upstream string `json:"upstream"` // product and version
	// Chosen is the reason why this kind was selected by --env auto.
	Chosen string `json:"chosen,omitempty"`
	// Engine is the container engine with its version and platform; empty means that none was used.
	Engine string `json:"engine,omitempty"`
	// Containers that upstream and database ran in.
	Containers []Container `json:"containers,omitempty"`
	// Targets are the hosts beyond loopback that were allowed by name.
	Targets []string `json:"targets,omitempty"`
	// Notes say what of the servers' settings is not used, and why.
	Notes []string `json:"notes,omitempty"`
}

// Container is one that took part in a run, as the engine describes it.
type Container struct {
	// Name of its role: upstream, database or sut.
	Name string `json:"name"`
	// Image as it was requested, and the engine's ID of what that was.
	Image   string `json:"image"`
	ImageID string `json:"image_id"`
	// CPUs and Memory are the limits in force; zero means none.
	CPUs   float64 `json:"cpus,omitempty"`
	Memory int64   `json:"memory_bytes,omitempty"`
}

// Fingerprint is what decides whether two runs are comparable.
type Fingerprint struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	Memory   int64  `json:"memory_bytes"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Kernel   string `json:"kernel"`
	Go       string `json:"go"`
	Revision string `json:"revision"`
	Modified bool   `json:"modified,omitempty"`
	NoFile   uint64 `json:"nofile"`
	// GOMAXPROCS is the number of threads of a Go program that run at once; 0 in records
	// that have neither it nor the quota.
	GOMAXPROCS int `json:"gomaxprocs,omitempty"`
	// CPUQuota is the number of cores that the control groups allow at most; 0 means no quota.
	CPUQuota float64 `json:"cpu_quota,omitempty"`
}

// Processors describes what bounds the use of the cores: "GOMAXPROCS 4, CPU
// quota 1.5 cores". It is empty where that was not recorded.
func (f Fingerprint) Processors() string {
	return Processors(f.GOMAXPROCS, f.CPUQuota)
}

// Processors returns [Fingerprint.Processors] of these values.
func Processors(gomaxprocs int, quota float64) string {
	if gomaxprocs == 0 {
		return ""
	}
	text := fmt.Sprintf("GOMAXPROCS %d", gomaxprocs)
	if quota > 0 {
		unit := "cores"
		if quota == 1 {
			unit = "core"
		}
		text += fmt.Sprintf(", CPU quota %g %s", quota, unit)
	}
	return text
}

// SUT names the sources of a program under test that is not Floodgate's own.
type SUT struct {
	// Repository is the name of the folder that its repository is in.
	Repository string `json:"repository,omitempty"`
	// Revision is the commit; "unknown" where the program is in no repository.
	Revision string `json:"revision"`
	// Modified reports that files of the repository differed from the commit.
	Modified bool `json:"modified,omitempty"`
}

// Outcomes of a trial. Only OutcomeOK trials enter statistics of time.
const (
	OutcomeOK      = "ok"      // measured; errors of items are data
	OutcomeInvalid = "invalid" // the mock or the machine was too slow to believe it
	OutcomeCrashed = "crashed" // the SUT exited before it was done
	OutcomeTimeout = "timeout" // the SUT was not done in time and was killed
	OutcomeStalled = "stalled" // a service completed nothing any more while reports were in flight
	OutcomeFailed  = "failed"  // could not be measured: environment or protocol
)

// Trial is one run of one variant at one level in a fresh SUT process; one line of a run's file.
type Trial struct {
	// Index is the position in the run's plan, from 0.
	Index   int            `json:"index"`
	Block   int            `json:"block"`
	Variant string         `json:"variant"`
	Level   map[string]any `json:"level"`
	// LevelName is the canonical "items=200 upstream.latency.median=20ms".
	LevelName string    `json:"level_name"`
	Items     int       `json:"items"` // distinct items
	Seed      uint64    `json:"seed"`
	Started   time.Time `json:"started"`
	Outcome   string    `json:"outcome"`
	// Reason says in words why the outcome is not ok.
	Reason   string   `json:"reason,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// NotReady reports that the SUT ran and did not say that it is ready.
	NotReady bool `json:"not_ready,omitempty"`
	// Discarded are earlier tries of this trial that were not believed, oldest first.
	Discarded []Discarded `json:"discarded,omitempty"`
	// Makespan: first item started → last item finished. 0 where Outcome is not
	// ok, and of a service, whose reports come when they come.
	Makespan time.Duration `json:"makespan_ns"`
	// MakespanSource is "sut" (reported from inside) or "outside" (go sent → done seen).
	MakespanSource string `json:"makespan_source,omitempty"`
	// Ideal makespan from the injected latencies and the limit, 0 when unknown.
	Ideal time.Duration `json:"ideal_ns,omitempty"`
	// Stages by name: queue, fetch, pool_wait, write, item; nil means unavailable.
	Stages map[string]Histogram `json:"stages,omitempty"`
	// ItemsDone and ItemsFailed count distinct items; nil where the SUT does not report them.
	ItemsDone   *int           `json:"items_done,omitempty"`
	ItemsFailed *int           `json:"items_failed,omitempty"`
	Errors      []ErrorCount   `json:"errors,omitempty"`
	Descriptors Descriptors    `json:"descriptors"`
	Resources   Resources      `json:"resources"`
	Documents   *Documents     `json:"documents,omitempty"` // nil: not checked
	Upstream    *UpstreamStats `json:"upstream,omitempty"`  // nil: not asked
	// Service is what reports under load gave; nil means that the SUT worked off its items once.
	Service *Service `json:"service,omitempty"`
	// SlotLimit is what a limit that sets itself (strategy adaptive) came to; nil:
	// there was none, or it is unknown.
	SlotLimit *SlotLimit `json:"slot_limit,omitempty"`
	// Overrun reports that the SUT did more at once than its variant declares; nil means that it
	// did not, or the upstream cannot tell.
	Overrun *Overrun `json:"overrun,omitempty"`
	// Throttled counts requests that had to wait for external.rate: their times
	// are the bound's, not the upstream's.
	Throttled int `json:"throttled,omitempty"`
	// Machine is what the machine did meanwhile; nil means that it was not watched, or does not tell.
	Machine *Conditions `json:"machine,omitempty"`
	// Container that the SUT ran in; nil means none.
	Container *Container `json:"container,omitempty"`
	ExitCode  int        `json:"exit_code"`
	// StderrTail is the end of the SUT's standard error where the outcome is not ok.
	StderrTail string `json:"stderr_tail,omitempty"`
}

// SlotLimit is a limit that was found while items were worked off.
type SlotLimit struct {
	// Last limit, and the median of those in the second half of the time.
	Last    int `json:"last"`
	Settled int `json:"settled"`
}

// Discarded is a try of a trial that was invalid, so that it was run again.
type Discarded struct {
	Started time.Time `json:"started"`
	Reason  string    `json:"reason"`
}

// ErrorCount is one type of error in a trial.
type ErrorCount struct {
	// Type: emfile, ports, timeout, refused, reset, http_4xx, http_429, http_5xx, mongo_…, other.
	Type  string        `json:"type"`
	Side  string        `json:"side"` // upstream or mongo
	Count int           `json:"count"`
	First time.Duration `json:"first_ns"` // since the first item started
	// Sample is the text of one of them.
	Sample string `json:"sample"`
}

// Descriptors of the SUT process.
type Descriptors struct {
	// Baseline is the count when the SUT was ready and had no client yet.
	Baseline int `json:"baseline"`
	// Peak is the highest count seen from outside; PeakAt when, since go was sent.
	Peak   int           `json:"peak"`
	PeakAt time.Duration `json:"peak_at_ns"`
	// Outside splits the highest counts seen from outside by kind; nil where kinds cannot be seen.
	Outside *Kinds `json:"outside,omitempty"`
	// Inside are the exact peaks counted by the dialers; nil where the SUT does not report them.
	Inside *Kinds `json:"inside,omitempty"`
	// Predicted is the bound predicted for the variant; zero means no prediction.
	Predicted int `json:"predicted,omitempty"`
	// Leaked is the number of descriptors that stayed open after the core was closed, without those of
	// one event loop that the runtime keeps; nil means not checked.
	Leaked *int `json:"leaked,omitempty"`
	// LeakedKinds splits them by kind; nil where there are none, or kinds cannot be seen.
	LeakedKinds *Kinds `json:"leaked_by_kind,omitempty"`
	// Samples is the number of counts, Classified the number of counts by kind.
	Samples    int `json:"samples"`
	Classified int `json:"classified"`
}

// Kinds are peaks by kind of descriptor; each is its own maximum, so they need not add up.
type Kinds struct {
	Upstream int `json:"upstream"`
	Mongo    int `json:"mongo"`
	// Runtime are those by which the language's runtime waits for events: epoll,
	// eventfd and the like.
	Runtime int `json:"runtime,omitempty"`
	Other   int `json:"other"`
}

// Others returns the runtime's descriptors and those of no other kind.
func (k Kinds) Others() int { return k.Runtime + k.Other }

// Resources of the SUT process.
type Resources struct {
	UserCPU    time.Duration `json:"user_cpu_ns"`
	SystemCPU  time.Duration `json:"system_cpu_ns"`
	PeakRSS    int64         `json:"peak_rss_bytes"`
	Threads    int           `json:"peak_threads"`
	Goroutines *int          `json:"peak_goroutines,omitempty"` // nil: unavailable
	// Allocs is the number of objects that the SUT allocated while it worked; nil means unavailable.
	Allocs *uint64 `json:"allocations,omitempty"`
}

// Documents is what the check of the database after a trial found.
type Documents struct {
	Expected  int `json:"expected"`
	Found     int `json:"found"`
	Lost      int `json:"lost"`
	Duplicate int `json:"duplicate"`
	// Corrupt have the right key and other content; Foreign were never requested.
	Corrupt int `json:"corrupt"`
	Foreign int `json:"foreign"`
	// Renamed is the number of lost that documents may be there under another key, as foreign
	// ones: of a trial, the smaller of the two numbers.
	Renamed int `json:"renamed,omitempty"`
	// Unchecked reports that the content was not compared, as it is unknown what an
	// upstream that is not ours answers: Corrupt is unknown then.
	Unchecked bool `json:"unchecked,omitempty"`
	// Unwritten were expected but belong to items that the SUT itself reported as failed.
	Unwritten int `json:"unwritten"`
}

// UpstreamStats is what the mock upstream saw of a trial.
type UpstreamStats struct {
	Requests     int           `json:"requests"`
	PeakInFlight int           `json:"peak_in_flight"`
	PeakConns    int           `json:"peak_connections"`
	Connections  int           `json:"connections"` // accepted in all
	Repeated     int           `json:"repeated"`    // requests beyond the first of a key
	LateMedian   time.Duration `json:"late_median_ns"`
	LateP99      time.Duration `json:"late_p99_ns"`
	Saturated    bool          `json:"saturated"`
}

// Histogram is an HDR histogram of durations in nanoseconds, losslessly encoded.
type Histogram struct {
	// Count, and quantiles for readers that do not decode Data.
	Count int64         `json:"count"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P95   time.Duration `json:"p95_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
	// Data is the HdrHistogram V2 compressed encoding in base64.
	Data string `json:"hdr"`
}

// Highest returns the peak to judge by: the highest count seen from outside or, if
// that is more, the sum of the peaks counted inside, since sampling may miss a
// short peak. False: it was never sampled.
func (d Descriptors) Highest() (peak int, ok bool) {
	if d.Samples == 0 {
		return 0, false
	}
	peak = d.Peak
	if d.Inside != nil {
		peak = max(peak, d.Inside.Upstream+d.Inside.Mongo+d.Inside.Other)
	}
	return peak, true
}

// ErrorsOf returns how many items failed with errors of the type, on either side.
func (t Trial) ErrorsOf(kind string) (n int) {
	for _, e := range t.Errors {
		if e.Type == kind {
			n += e.Count
		}
	}
	return n
}

// Add adds up what two checks found.
func (d *Documents) Add(o Documents) {
	d.Unchecked = d.Unchecked || o.Unchecked
	d.Expected += o.Expected
	d.Found += o.Found
	d.Lost += o.Lost
	d.Duplicate += o.Duplicate
	d.Corrupt += o.Corrupt
	d.Foreign += o.Foreign
	d.Renamed += o.Renamed
	d.Unwritten += o.Unwritten
}

// Broken returns how many documents were lost, duplicate, wrong or foreign, each
// counted once: one that was written under another key is lost and foreign.
func (d Documents) Broken() int { return d.Lost + d.Spoiled() - d.Renamed }

// Spoiled returns how many documents are there that should not be so: duplicate,
// wrong or foreign.
func (d Documents) Spoiled() int { return d.Duplicate + d.Corrupt + d.Foreign }

// Service is what a trial of a service under load gave.
type Service struct {
	// Due reports came in the time; Ended of them were answered, timed out or
	// failed at the client, and Dropped were never sent, as the load was ended
	// early: due = ended + dropped. OK were done. Errors counts the other ended ones by type.
	Due     int            `json:"due"`
	Ended   int            `json:"ended"`
	Dropped int            `json:"dropped"`
	OK      int            `json:"ok"`
	Errors  map[string]int `json:"errors,omitempty"`
	// Late of those that ended were begun more than [LagBound] after they were due.
	Late int `json:"late"`
	// Response is the time of all that ended since they were due, Accepted that
	// of those that were done alone; ServiceTime is the time since they were
	// begun, Lag how late that was.
	Response    Histogram `json:"response"`
	Accepted    Histogram `json:"accepted"`
	ServiceTime Histogram `json:"service_time"`
	Lag         Histogram `json:"lag"`
	// Stalled is when nothing had been completed for the scenario's time while
	// reports were in flight; nil means that that was never so.
	Stalled *time.Duration `json:"stalled_ns,omitempty"`
	// Goroutines are their stacks at that time, equal ones grouped, as Go's
	// runtime/pprof writes them; empty means the SUT did not say.
	Goroutines string `json:"goroutines,omitempty"`
	// Drain is the time from SIGTERM to the end of an HTTP service that sut.command
	// started; nil means that it was killed, or is another kind of service.
	Drain *time.Duration `json:"drain_ns,omitempty"`
	// Recovered reports that a report after the load was done in time.
	Recovered bool   `json:"recovered"`
	Series    Series `json:"series"`
}

// Bounds on how late the load generator may begin a report, and the median one:
// those that the mock upstream has on its answers (its late_p99_bound and late_bound).
const (
	LagBound       = 20 * time.Millisecond
	LagMedianBound = 2 * time.Millisecond
)

// TooLate reports whether the load generator was too slow to believe the trial: it
// began the median report late, or more than 1 % of them. A single one, which a
// machine's hiccup may be, does not count.
func (s *Service) TooLate() bool {
	return s.Lag.P50 > LagMedianBound || s.Late > max(1, s.Ended/100)
}
