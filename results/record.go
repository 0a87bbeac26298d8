// Package results defines the record of a run and its crash-safe store. The
// example of [Create] stores and reads back a run.
//
// A run has a folder of its own with one file of JSON lines, run.jsonl: a
// [Header], one [Trial] per line, and a footer once all trials are stored.
// [Store.Append] returns when the line is on disk, so a kill at any time loses at
// most the trial in progress. [Open] checks every line, names the file and line
// of any damage, and tolerates only an unfinished last line.
//
// The packages below it turn a run into statistics (stats, summary), a verdict
// (claims, baseline, pairs) and text (report).
package results

import (
	"encoding/json"
	"fmt"
	"time"
)

// Schema is the version of the record that this package writes.
const Schema = 2

// Run is one stored run.
type Run struct {
	Header Header
	Trials []Trial
	// Complete reports that every planned trial has a record.
	Complete bool
	// Path is the file that the run was read from; empty means none.
	Path string
	// Warnings describes tolerated damage, such as an unfinished last line.
	Warnings []string

	scenario *decoded // set by Run.Scenario
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
	// Planned is the number of trials of the whole run, or the maximum number of
	// trials of a search.
	Planned int `json:"planned"`
	// Search reports that the trials are those of a search ("floodgate plan"),
	// which chooses its own levels. Such a run is never complete.
	Search      bool        `json:"search,omitempty"`
	Environment Environment `json:"environment"`
	Fingerprint Fingerprint `json:"fingerprint"`
	// SUT is the revision of the program under test; nil means Floodgate's own,
	// whose revision is in Fingerprint.
	SUT *SUT `json:"sut,omitempty"`
	// Command is the command that reproduces the run, one word each, without
	// addresses of servers; empty means unknown.
	Command []string `json:"command,omitempty"`
	// Shard names the hosts that the record holds, of a fleet whose hosts ran one by one
	// ("floodgate run --shard"); nil means that it holds all of them.
	Shard *Shard `json:"shard,omitempty"`
	// Merged are the runs that the record was merged from, by shard; nil means that it
	// was not merged.
	Merged []MergedRun `json:"merged,omitempty"`
	// Repeat holds the interim analyses of a run that repeats blocks until its claims are
	// decided; nil means that Planned is fixed. Planned is then the maximum number of
	// trials, and that of all trials once the run is complete.
	Repeat *Repeat `json:"repeat,omitempty"`
	// Profiles are the kinds of profiles that were taken of the SUT; nil means none.
	Profiles []string `json:"profiles,omitempty"`
	// Traces means that the slowest items or requests, and a regular sample of all, were
	// traced.
	Traces bool `json:"traces,omitempty"`
}

// Environment names where the upstream and the database came from.
type Environment struct {
	Kind     string `json:"kind"`     // embedded, containers, external, kubernetes, or none for an attack
	Database string `json:"database"` // product and version
	Upstream string `json:"upstream"` // product and version
	// Chosen is the reason why this kind was selected by --env auto.
	Chosen string `json:"chosen,omitempty"`
	// Engine is the container engine with its version and platform; empty means that none was used.
	Engine string `json:"engine,omitempty"`
	// Containers holds the containers of the upstream and the database.
	Containers []Container `json:"containers,omitempty"`
	// Targets holds the hosts beyond loopback that were allowed by name.
	Targets []string `json:"targets,omitempty"`
	// Notes explains which settings of the servers are not used.
	Notes []string `json:"notes,omitempty"`
}

// Container is a container that took part in a run, as the engine describes it.
type Container struct {
	// Name is its role: upstream, database, sut or generator.
	Name string `json:"name"`
	// Image is the requested image, and ImageID the engine's ID of it.
	Image   string `json:"image"`
	ImageID string `json:"image_id"`
	// CPUs and Memory are the limits in force; zero means none.
	CPUs   float64 `json:"cpus,omitempty"`
	Memory int64   `json:"memory_bytes,omitempty"`
	// Node is the node of a cluster on which the pod ran; empty means this machine.
	Node string `json:"node,omitempty"`
}

// Fingerprint identifies the machine and the program. Runs with different
// fingerprints may not be comparable.
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
	// GOMAXPROCS is the number of threads that run Go code at once; 0 means that
	// neither it nor the quota was recorded.
	GOMAXPROCS int `json:"gomaxprocs,omitempty"`
	// CPUQuota is the maximum number of cores by the control groups; 0 means no quota.
	CPUQuota float64 `json:"cpu_quota,omitempty"`
	// MemoryLimit is the smallest limit of the control groups on memory in bytes, or
	// [NoLimit]; 0 means that it was not recorded.
	MemoryLimit int64 `json:"memory_limit_bytes,omitempty"`
	// Governor sets the clock of the cores: "performance", several separated by commas,
	// or "none visible"; empty means that it was not recorded.
	Governor string `json:"governor,omitempty"`
	// Pinning lists the cores that the parts of the run were confined to: "SUT 2-3;
	// generator 0; servers 1"; empty means that they were not.
	Pinning string `json:"pinning,omitempty"`
}

// NoLimit is the value of Fingerprint.MemoryLimit without a limit.
const NoLimit = -1

// Processors describes the bounds on the use of the cores: "GOMAXPROCS 4, CPU
// quota 1.5 cores". It is empty if they were not recorded.
func (f Fingerprint) Processors() string {
	return Processors(f.GOMAXPROCS, f.CPUQuota)
}

// Processors is [Fingerprint.Processors] of a given GOMAXPROCS and CPU quota.
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

// SUT identifies the sources of a program under test that is not Floodgate's own.
type SUT struct {
	// Repository is the name of the repository's folder.
	Repository string `json:"repository,omitempty"`
	// Revision is the commit, or "unknown" if the program is not in a repository.
	Revision string `json:"revision"`
	// Modified reports that files of the repository differed from the commit.
	Modified bool `json:"modified,omitempty"`
	// Toolchain is the version of Go that built the program, and CLibrary the C library
	// that it loads: "glibc 2.36", "musl" or "none". Empty means unknown.
	Toolchain string `json:"toolchain,omitempty"`
	CLibrary  string `json:"c_library,omitempty"`
}

// The outcomes of a trial. Only trials with OutcomeOK enter statistics of times.
const (
	OutcomeOK      = "ok"      // measured; errors of items are data
	OutcomeInvalid = "invalid" // the mock upstream or the machine was overloaded, or the SUT's host was lost
	OutcomeCrashed = "crashed" // the SUT exited too early
	OutcomeTimeout = "timeout" // the SUT did not finish in time and was killed
	OutcomeStalled = "stalled" // a service stopped completing reports while some were in flight
	OutcomeFailed  = "failed"  // could not be measured: environment or protocol
)

// Trial is one run of one variant at one level in a fresh SUT process. It is one
// line of a run's file.
type Trial struct {
	// Index is the position in the schedule of the run, from 0.
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
	// Reason explains an outcome other than ok.
	Reason   string   `json:"reason,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// NotReady reports that the SUT started but did not report that it is ready.
	NotReady bool `json:"not_ready,omitempty"`
	// Discarded holds earlier tries of this trial that did not count, oldest first.
	Discarded []Discarded `json:"discarded,omitempty"`
	// Makespan is the time from the start of the first item to the end of the last
	// one. It is 0 if Outcome is not ok, and for a service.
	Makespan time.Duration `json:"makespan_ns"`
	// MakespanSource is "sut" (reported from inside) or "outside" (from sending
	// the start message to seeing the end).
	MakespanSource string `json:"makespan_source,omitempty"`
	// Ideal is the ideal makespan for the injected latencies and the limit; 0 means unknown.
	Ideal time.Duration `json:"ideal_ns,omitempty"`
	// Stages holds latencies by stage: queue, fetch, handoff, pool_wait, write,
	// item; nil means unavailable.
	Stages map[string]Histogram `json:"stages,omitempty"`
	// ItemsDone and ItemsFailed count distinct items; nil means not reported.
	ItemsDone   *int         `json:"items_done,omitempty"`
	ItemsFailed *int         `json:"items_failed,omitempty"`
	Errors      []ErrorCount `json:"errors,omitempty"`
	Descriptors Descriptors  `json:"descriptors"`
	Resources   Resources    `json:"resources"`
	Documents   *Documents   `json:"documents,omitempty"` // nil means not checked
	// NoDocuments reports that the SUT writes no documents, so none were checked.
	NoDocuments bool           `json:"no_documents,omitempty"`
	Upstream    *UpstreamStats `json:"upstream,omitempty"` // nil means unknown
	// Service holds the results of a service under load; nil means that the SUT
	// processed its items once.
	Service *Service `json:"service,omitempty"`
	// SlotLimit is the limit that strategy adaptive found; nil means none, or unknown.
	SlotLimit *SlotLimit `json:"slot_limit,omitempty"`
	// Series is the time series of a SUT that processed its items once, in a scenario with
	// an adaptive limit: items that are done and, of the limit, its value and the slots in
	// use. Nil means that it was not sampled.
	Series *Series `json:"series,omitempty"`
	// Warmup is the work before the measured part; nil means none.
	Warmup *Warmup `json:"warmup,omitempty"`
	// Overrun reports that the SUT exceeded its declared limit; nil means that it
	// did not, or that the upstream cannot tell.
	Overrun *Overrun `json:"overrun,omitempty"`
	// Throttled counts requests that waited for external.rate: their times measure
	// that bound, not the upstream.
	Throttled int `json:"throttled,omitempty"`
	// Machine is the state of the machine during the trial; nil means unknown.
	Machine *Conditions `json:"machine,omitempty"`
	// Profiles are those of the SUT, by kind, which add to its CPU time and its latencies;
	// nil means that none were requested.
	Profiles []Profile `json:"profiles,omitempty"`
	// Traces describes those of single items or requests, which add to times a little; nil
	// means that there are none.
	Traces *Traces `json:"traces,omitempty"`
	// Hosts are the SUT processes of a trial that has several, by index. The fields of the
	// trial hold their sums and extremes, as package results/fleet defines them. Nil means
	// one host.
	Hosts []Host `json:"hosts,omitempty"`
	// Fleet holds what the hosts did at the same time; nil means one host, or unknown. See
	// [Trial.Apart].
	Fleet *Fleet `json:"fleet,omitempty"`
	// Container is the container of the SUT, or of its first host; nil means none.
	Container *Container `json:"container,omitempty"`
	ExitCode  int        `json:"exit_code"`
	// StderrTail is the end of the SUT's standard error if the outcome is not ok.
	StderrTail string `json:"stderr_tail,omitempty"`
}

// Host is one SUT process of a trial that has several.
type Host struct {
	// Index is its position, from 0. Limit is the most fetches that it may have in flight;
	// zero means unlimited. Items is the number of distinct items that were dealt to it.
	Index int `json:"index"`
	Limit int `json:"limit,omitempty"`
	Items int `json:"items"`
	// Start and End are the start of its first item and the end of its last one, since
	// the first start of all hosts. Both are zero for a host without items, and if the
	// trial ended early.
	Start time.Duration `json:"start_ns"`
	End   time.Duration `json:"end_ns"`
	// MakespanSource says who observed Start and End, as in Trial.
	MakespanSource string `json:"makespan_source,omitempty"`
	// ClockOffset is the host's clock minus the harness's, and Uncertainty the largest
	// error of Start and End that follows from how it was measured.
	ClockOffset time.Duration `json:"clock_offset_ns"`
	Uncertainty time.Duration `json:"uncertainty_ns"`
	// The following fields are those of a trial with one host.
	Stages      map[string]Histogram `json:"stages,omitempty"`
	ItemsDone   *int                 `json:"items_done,omitempty"`
	ItemsFailed *int                 `json:"items_failed,omitempty"`
	Errors      []ErrorCount         `json:"errors,omitempty"` // First counts from the host's own first item
	Descriptors Descriptors          `json:"descriptors"`
	Resources   Resources            `json:"resources"`
	SlotLimit   *SlotLimit           `json:"slot_limit,omitempty"`
	Throttled   int                  `json:"throttled,omitempty"`
	Container   *Container           `json:"container,omitempty"`
	ExitCode    int                  `json:"exit_code"`
	// Service is the part of the load that it got; nil means that it is another kind of SUT,
	// or that the trial has no Service.
	Service *HostService `json:"service,omitempty"`
	// Part holds the rest of the record of a host that ran alone, as a shard; nil means
	// that all hosts ran together.
	Part *Part `json:"part,omitempty"`
}

// Fleet holds what the hosts of a trial did at the same time.
type Fleet struct {
	// Skew is the latest start of a host's first item minus the earliest, and Uncertainty
	// the largest of the hosts.
	Skew        time.Duration `json:"skew_ns"`
	Uncertainty time.Duration `json:"uncertainty_ns"`
	// PeakDescriptors is the highest number of descriptors that all hosts together had
	// open at one time; PeakRSS is that of their resident memory in bytes. Zero means
	// unknown.
	PeakDescriptors int   `json:"peak_descriptors,omitempty"`
	PeakRSS         int64 `json:"peak_rss_bytes,omitempty"`
	// Apart reports that the hosts did not start together, because they ran as shards and
	// their records were merged. Everything else in Fleet is unknown then.
	Apart bool `json:"apart,omitempty"`
}

// MaxSkew returns the largest skew, together with its uncertainty, of a valid trial of
// several hosts: 1 % of the makespan, and at least 5 ms.
func MaxSkew(makespan time.Duration) time.Duration { return max(makespan/100, 5*time.Millisecond) }

// Warmup is work before the measured part of a trial, in the same process. It is part of no
// other figure, except that the kernel's high-water mark of the memory includes it.
type Warmup struct {
	// Took is its duration, and Requests the number of requests to an HTTP service.
	Took     time.Duration `json:"took_ns"`
	Requests int           `json:"requests,omitempty"`
	// Early holds the mean times of an item, or of a request since it was sent, in each tenth
	// of the first half of the measured part; nil means unknown.
	Early []time.Duration `json:"early_ns,omitempty"`
}

// SlotLimit is a limit that was found at run time.
type SlotLimit struct {
	// Last is the final limit, and Settled the median over the second half of the time.
	Last    int `json:"last"`
	Settled int `json:"settled"`
}

// Discarded is a try of a trial that did not count, so that the trial was rerun.
type Discarded struct {
	Started time.Time `json:"started"`
	Reason  string    `json:"reason"`
	// ServerEnded reports that it was abandoned because a server of the environment
	// ended; otherwise it was invalid.
	ServerEnded bool `json:"server_ended,omitempty"`
}

// ErrorCount is one type of error in a trial.
type ErrorCount struct {
	// Type is emfile, ports, timeout, refused, reset, http_4xx, http_429, http_5xx, mongo_… or other.
	Type  string        `json:"type"`
	Side  string        `json:"side"` // upstream or mongo
	Count int           `json:"count"`
	First time.Duration `json:"first_ns"` // since the first item started
	// Sample is the text of one of them.
	Sample string `json:"sample"`
}

// Descriptors describes the open descriptors of the SUT process.
type Descriptors struct {
	// Baseline is the count when the SUT was ready and had no clients yet.
	Baseline int `json:"baseline"`
	// Peak is the highest count seen from outside, and PeakAt its time since the
	// start message was sent.
	Peak   int           `json:"peak"`
	PeakAt time.Duration `json:"peak_at_ns"`
	// Outside splits the highest counts seen from outside by kind; nil means unknown.
	Outside *Kinds `json:"outside,omitempty"`
	// Inside holds the exact peaks counted by the dialers; nil means not reported.
	Inside *Kinds `json:"inside,omitempty"`
	// Predicted is the bound predicted for the variant; zero means no prediction.
	Predicted int `json:"predicted,omitempty"`
	// Process is the name of the process that was watched, if it is not the one that
	// sut.command started but one that a shell or another launcher started, which listens.
	Process string `json:"process,omitempty"`
	// Limit is the RLIMIT_NOFILE of a process that ran already; zero means sut.nofile.
	Limit int `json:"limit,omitempty"`
	// Endpoints are the connections of an HTTP service by direction, remote endpoint and
	// state, as seen from outside, those that grew most first; nil means that they cannot
	// be seen.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Leaked is the number of descriptors that stayed open after all clients were
	// closed, except those of one event loop of the runtime; nil means not checked.
	Leaked *int `json:"leaked,omitempty"`
	// LeakedKinds splits Leaked by kind; nil means none, or unknown kinds.
	LeakedKinds *Kinds `json:"leaked_by_kind,omitempty"`
	// Samples is the number of counts, and Classified the number of counts by kind.
	Samples    int `json:"samples"`
	Classified int `json:"classified"`
}

// Kinds holds peaks by kind of descriptor. Each is a maximum of its own, so they
// need not add up to the total peak.
type Kinds struct {
	Upstream int `json:"upstream"`
	Mongo    int `json:"mongo"`
	// Runtime counts those with which the language's runtime waits for events,
	// such as epoll and eventfd.
	Runtime int `json:"runtime,omitempty"`
	Other   int `json:"other"`
}

// Others returns the number of descriptors that belong to neither upstream nor database.
func (k Kinds) Others() int { return k.Runtime + k.Other }

// Resources holds the resource usage of the SUT process.
type Resources struct {
	UserCPU    time.Duration `json:"user_cpu_ns"`
	SystemCPU  time.Duration `json:"system_cpu_ns"`
	PeakRSS    int64         `json:"peak_rss_bytes"`
	Threads    int           `json:"peak_threads"`
	Goroutines *int          `json:"peak_goroutines,omitempty"` // nil means unavailable
	// Allocs is the number of objects that the SUT allocated in the trial; nil means unavailable.
	Allocs *uint64 `json:"allocations,omitempty"`
}

// Documents is the result of the check of the database after a trial.
type Documents struct {
	Expected  int `json:"expected"`
	Found     int `json:"found"`
	Lost      int `json:"lost"`
	Duplicate int `json:"duplicate"`
	// Corrupt documents have the right key but other content; Foreign ones were
	// never requested.
	Corrupt int `json:"corrupt"`
	Foreign int `json:"foreign"`
	// Renamed is the number of lost documents that may be foreign ones under
	// another key: in a trial, the smaller of the two numbers.
	Renamed int `json:"renamed,omitempty"`
	// Unchecked reports that the content was not compared, as the answers of an
	// external upstream are unknown. Then Corrupt is unknown, too.
	Unchecked bool `json:"unchecked,omitempty"`
	// Unwritten documents belong to items that the SUT reported as failed.
	Unwritten int `json:"unwritten"`
}

// UpstreamStats holds the counts of the mock upstream in a trial, or those of Floodgate's
// proxy in front of an external upstream.
type UpstreamStats struct {
	Requests     int           `json:"requests"`
	PeakInFlight int           `json:"peak_in_flight"`
	PeakConns    int           `json:"peak_connections"`
	Connections  int           `json:"connections"` // accepted in all
	Repeated     int           `json:"repeated"`    // requests beyond the first of a key
	LateMedian   time.Duration `json:"late_median_ns"`
	LateP99      time.Duration `json:"late_p99_ns"`
	Saturated    bool          `json:"saturated"`
	// Traced counts the requests that continued a trace.
	Traced int `json:"traced,omitempty"`
	// Proxied reports that the counts are those of the proxy: lateness and repeated
	// requests are unknown then, and requests in flight include those that waited for
	// external.rate.
	Proxied bool `json:"proxied,omitempty"`
	// Refused counts the requests beyond external.requests, which the proxy did not send.
	Refused int `json:"refused,omitempty"`
	// Errors are the failed requests by type, as the proxy saw them.
	Errors []ErrorCount `json:"errors,omitempty"`
}

// Histogram is an HDR histogram of durations in nanoseconds, losslessly encoded.
type Histogram struct {
	// Count and the figures below serve readers that do not decode Data.
	Count int64         `json:"count"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P95   time.Duration `json:"p95_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
	// Data is the HdrHistogram V2 compressed encoding in base64.
	Data string `json:"hdr"`
}

// Highest returns the peak to judge by: the highest count seen from outside or
// the sum of the peaks counted inside, whichever is larger, as sampling may miss
// a short peak. It returns false if there are no samples.
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

// Span returns the makespan or, for a service, the time for which it was watched.
// Zero means neither.
func (t *Trial) Span() time.Duration {
	if t.Makespan == 0 && t.Service != nil && len(t.Service.Series.At) > 0 {
		return time.Duration(t.Service.Series.At[len(t.Service.Series.At)-1]) * time.Millisecond
	}
	return t.Makespan
}

// ErrorsOf returns the number of errors of the type, on both sides.
func (t Trial) ErrorsOf(kind string) (n int) {
	for _, e := range t.Errors {
		if e.Type == kind {
			n += e.Count
		}
	}
	return n
}

// Add adds the counts of another check.
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

// Violations returns the number of integrity violations: documents that are lost,
// duplicate, corrupt or foreign. A document that was written under another key is
// lost and foreign, and counts once.
func (d Documents) Violations() int { return d.Lost + d.StoredViolations() - d.Renamed }

// StoredViolations returns the number of stored documents that are duplicate, corrupt or
// foreign.
func (d Documents) StoredViolations() int { return d.Duplicate + d.Corrupt + d.Foreign }

// Service holds the results of a service under load in one trial.
type Service struct {
	// Due reports arrived. Ended of them were answered, timed out or failed at the
	// client, and Dropped were never sent because the load ended early, so Due =
	// Ended + Dropped. OK of them succeeded; Errors counts the other ended ones by type.
	Due     int            `json:"due"`
	Ended   int            `json:"ended"`
	Dropped int            `json:"dropped"`
	OK      int            `json:"ok"`
	Errors  map[string]int `json:"errors,omitempty"`
	// Late of the ended reports were sent more than [LagBound] after they were due.
	Late int `json:"late"`
	// Response is the time since reports were due, of all that ended; Accepted is
	// that of the successful ones. ServiceTime is the time since they were sent,
	// and Lag the difference of the two.
	Response    Histogram `json:"response"`
	Accepted    Histogram `json:"accepted"`
	ServiceTime Histogram `json:"service_time"`
	Lag         Histogram `json:"lag"`
	// Generators are the load generators, by index, where several shared the load. The
	// fields above are of all their requests together. Nil means that there was one.
	Generators []Generator `json:"generators,omitempty"`
	// Requests splits the results of an HTTP service by kind of request, in the order of
	// the scenario; nil means that there is one kind, or another kind of service.
	Requests []RequestKind `json:"requests,omitempty"`
	// Stalled is the time at which a host had completed no report for the stall time
	// of the scenario while some were in flight; nil means never.
	Stalled *time.Duration `json:"stalled_ns,omitempty"`
	// Goroutines holds the goroutines' stacks at that time, grouped as in Go's
	// runtime/pprof; empty means unavailable.
	Goroutines string `json:"goroutines,omitempty"`
	// Drain is the time from SIGTERM to the end of an HTTP service that sut.command
	// started, of several hosts the longest; nil means that one was killed, or that it is
	// another kind of service.
	Drain *time.Duration `json:"drain_ns,omitempty"`
	// Recovered reports that a report after the load succeeded in time, on each host.
	Recovered bool `json:"recovered"`
	// Series is the time series of a host: of SeriesHost, the one that had most descriptors,
	// if the trial has several. Its counts are those of this host's part of the load.
	Series     Series `json:"series"`
	SeriesHost int    `json:"series_host,omitempty"`
}

// HostService holds the results of one of several hosts of a service: of the requests of the
// schedule, counted from 0, the number of its Index and every following one at a distance of
// the number of hosts. The fields are those of [Service].
type HostService struct {
	Due     int            `json:"due"`
	Ended   int            `json:"ended"`
	Dropped int            `json:"dropped"`
	OK      int            `json:"ok"`
	Errors  map[string]int `json:"errors,omitempty"`
	// Shed is the number of reports that it rejected; zero also means another kind of service
	// than the built-in one.
	Shed int `json:"shed,omitempty"`
	// Peak is the highest number of its requests that were in flight at once.
	Peak        int            `json:"peak_in_flight"`
	Response    Histogram      `json:"response"`
	Accepted    Histogram      `json:"accepted"`
	ServiceTime Histogram      `json:"service_time"`
	Stalled     *time.Duration `json:"stalled_ns,omitempty"`
	Drain       *time.Duration `json:"drain_ns,omitempty"`
	Recovered   bool           `json:"recovered"`
}

// Generator is one of several processes that sent the load of a trial: of the requests of
// the schedule, counted from 0, number Index and every following one at a distance of the
// number of generators.
type Generator struct {
	Index int `json:"index"`
	// Due, Ended, Dropped, Late and Errors count its requests as in Service.
	Due     int            `json:"due"`
	Ended   int            `json:"ended"`
	Dropped int            `json:"dropped"`
	Late    int            `json:"late"`
	Errors  map[string]int `json:"errors,omitempty"`
	// Peak is the highest number of its requests that were in flight at once.
	Peak int `json:"peak_in_flight"`
	// Lag is the time from when its requests were due until it sent them.
	Lag Histogram `json:"lag"`
	// Start is the time by which it began after the instant from which the schedule counts.
	Start time.Duration `json:"start_ns"`
	// ClockOffset is the generator's clock minus the harness's, and Uncertainty its largest
	// error, which is also that of Lag.
	ClockOffset time.Duration `json:"clock_offset_ns"`
	Uncertainty time.Duration `json:"uncertainty_ns"`
	// Container is the pod in which it ran; nil means a process of the harness's machine.
	Container *Container `json:"container,omitempty"`
}

// GeneratorName names the load generator of an index, from 0, in messages, which count
// from 1: "the load generator" if there is only one, or "load generator 2 of 3".
func GeneratorName(index, generators int) string {
	if generators <= 1 {
		return "the load generator"
	}
	return fmt.Sprintf("load generator %d of %d", index+1, generators)
}

// RequestKind holds the results of one kind of request of an HTTP service.
type RequestKind struct {
	// Name is the method with the path as the scenario has it, such as
	// "POST /reports/{{n}}", or "others" for the least frequent kinds.
	Name string `json:"name"`
	// Ended requests were answered, timed out or failed at the client. OK of them
	// succeeded; Errors counts the other ones by type.
	Ended  int            `json:"ended"`
	OK     int            `json:"ok"`
	Errors map[string]int `json:"errors,omitempty"`
	// Response is the time since requests were due, and ServiceTime the time since they
	// were sent.
	Response    Histogram `json:"response"`
	ServiceTime Histogram `json:"service_time"`
}

// Bounds on the lag of the load generator, for a report and for the median
// report. They equal the mock upstream's late_p99_bound and late_bound.
const (
	LagBound       = 20 * time.Millisecond
	LagMedianBound = 2 * time.Millisecond
)

// Overload describes a load generator that sent its requests late.
type Overload struct {
	// Generator names it: see [GeneratorName].
	Generator string
	// Median is the median of its lag. Late of its Ended requests were sent more than
	// [LagBound] after they were due.
	Median      time.Duration
	Late, Ended int
}

// Overload returns the first load generator that was overloaded: it sent the median report
// late, or more than one report and more than 1 % of them. It returns false if none was,
// and neither were all of them together.
func (s *Service) Overload() (Overload, bool) {
	var all []Overload
	for i, g := range s.Generators {
		all = append(all, Overload{GeneratorName(i, len(s.Generators)), g.Lag.P50, g.Late, g.Ended})
	}
	together := Overload{GeneratorName(0, 1), s.Lag.P50, s.Late, s.Ended}
	if len(all) > 1 {
		together.Generator = fmt.Sprintf("the group of %d load generators", len(all))
	}
	for _, o := range append(all, together) {
		if o.Median > LagMedianBound || o.Late > max(1, o.Ended/100) {
			return o, true
		}
	}
	return Overload{}, false
}

// GeneratorOverloaded reports whether a load generator was overloaded, as Overload says.
func (s *Service) GeneratorOverloaded() bool {
	_, overloaded := s.Overload()
	return overloaded
}

// Endpoint is a group of connections of an HTTP service.
type Endpoint struct {
	// Name describes the group, such as "ESTABLISHED to 127.0.0.1:27017".
	Name string `json:"name"`
	// First and Last are the numbers before and after the load, and Peak is the highest.
	First int `json:"first"`
	Last  int `json:"last"`
	Peak  int `json:"peak"`
	// Idle of the last had no traffic for some seconds.
	Idle int `json:"idle,omitempty"`
}
