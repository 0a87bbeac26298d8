// Package scenarios defines the scenario, an experiment in a YAML file:
//
//	version: 1
//	name: report
//	title: Bounded fetches take less time than sequential ones
//	items: {kind: phone-numbers}
//	upstream: {latency: {distribution: constant, value: 20ms}}
//	variants:
//	  - strategy: sequential
//	  - {strategy: bounded, limit: 10}
//	levels: [{items: [100, 200]}] # every variant runs with 100 and with 200 items
//	blocks: 6                     # and six times at each of these levels
//	claims:
//	  - id: faster
//	    statement: Ten slots save at least 60 % of the time.
//	    reduction: {of: [bounded-10], reference: sequential, at_least: 60%}
//
// The package loads files strictly and reports every mistake with its position ([Load],
// [Parse]), expands the levels ([Scenario.ExpandLevels]), predicts the descriptors and
// the makespan of a variant ([Predict], [Ideal]), generates the items
// ([Scenario.ItemArgs]), describes the format to editors ([JSONSchema]) and embeds the
// built-in scenarios ([Builtin]).
package scenarios

import (
	"cmp"
	"encoding/json"
	"time"

	"floodgate/mockupstream"
	"floodgate/scenarios/pipeline"
)

// Duration is a time.Duration written as text ("20ms").
type Duration = mockupstream.Duration

// Scenario is one experiment: items, an upstream, a database, the variants and
// levels that are compared, and the claims and thresholds that are judged.
type Scenario struct {
	// Version of the file format; 1.
	Version int `yaml:"version" json:"version"`
	// Name is a short identifier: lower case letters, digits, hyphens.
	Name        string `yaml:"name" json:"name"`
	Title       string `yaml:"title" json:"title"`
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Seed of every draw. Block b uses a seed derived from (Seed, b). Default 1.
	Seed  uint64 `yaml:"seed,omitempty" json:"seed"`
	Items Items  `yaml:"items,omitempty" json:"items"`
	// Upstream is the profile of the mock upstream. Default: it answers at once,
	// with one record an item and no faults.
	Upstream mockupstream.Profile `yaml:"upstream,omitempty" json:"upstream"`
	Database Database             `yaml:"database,omitempty" json:"database,omitzero"`
	SUT      SUT                  `yaml:"sut,omitempty" json:"sut,omitzero"`
	// Containers limits the containers of upstream and database. Such a scenario
	// runs only in the environment "containers".
	Containers Containers `yaml:"containers,omitempty" json:"containers,omitzero"`
	// Service makes the SUT serve reports under load; nil means that it processes
	// its items once.
	Service *Service `yaml:"service,omitempty" json:"service,omitempty"`
	// SLO holds the requirements for a rate to count as sustained; nil means none.
	SLO *SLO `yaml:"slo,omitempty" json:"slo,omitempty"`
	// External bounds the requests to an external upstream.
	External External  `yaml:"external,omitempty" json:"external,omitzero"`
	Variants []Variant `yaml:"variants,omitempty" json:"variants"`
	// Levels lists the points at which the variants run. Each entry maps factors (paths
	// in this file such as "items.count", "upstream.latency.median" or "sut.nofile") to
	// one value or a list. An entry is the product of its lists, and Levels is the
	// union of the entries.
	Levels []LevelSet `yaml:"levels,omitempty" json:"levels"`
	// Blocks is the number of runs of every variant at every level, at least 6. Default 6.
	Blocks int `yaml:"blocks,omitempty" json:"blocks"`
	// Quick replaces Levels, Blocks and Variants with --quick; nil means no replacements.
	Quick  *Quick  `yaml:"quick,omitempty" json:"quick,omitempty"`
	Claims []Claim `yaml:"claims,omitempty" json:"claims,omitempty"`
	// Thresholds are budgets that the run must meet.
	Thresholds []Threshold `yaml:"thresholds,omitempty" json:"thresholds,omitempty"`
}

// LevelSet maps factor paths to scalar values or lists of scalars; its key
// "name" may hold a short name for reports.
type LevelSet map[string]any

// Items describes the items that the pipeline processes.
type Items struct {
	// Kind is "phone-numbers" (one argument) or "date-ranges" (start and end date);
	// empty for items of a file.
	Kind string `yaml:"kind,omitempty" json:"kind,omitempty"`
	// File names a .csv or .jsonl file with an item a line, whose columns are arguments.
	// It is read once, when the scenario is loaded, relative to it.
	File string `yaml:"file,omitempty" json:"file,omitempty"`
	// Header means that the first line of a .csv file names the columns.
	Header bool `yaml:"header,omitempty" json:"header,omitempty"`
	// Count is the number N of distinct items; of a file, the first N lines. Default:
	// all lines of the file. The factor "items" is short for "items.count".
	Count int `yaml:"count,omitempty" json:"count,omitempty"`
	// Duplicates is the share of additional items that repeat earlier ones, 0 to 1.
	Duplicates float64 `yaml:"duplicates,omitempty" json:"duplicates,omitempty"`
	// Batches splits the items into this many batches, run one after another. Default 1.
	Batches int `yaml:"batches,omitempty" json:"batches,omitempty"`
	// Args holds the columns of every item of File. They are part of the scenario in a
	// record, so that a run is resumed with the same items only.
	Args [][]string `yaml:"-" json:"args,omitempty"`
}

// Database describes the delays and faults added to the database.
type Database struct {
	// Latency is added to every command that reads or writes documents. Default none.
	Latency Duration `yaml:"latency,omitempty" json:"latency,omitzero"`
	// Jitter spreads Latency evenly from Latency − Jitter to Latency + Jitter;
	// at most Latency. Default none.
	Jitter Duration `yaml:"jitter,omitempty" json:"jitter,omitzero"`
	// Bandwidth in bytes per second and direction, shared by all connections; zero means unlimited.
	Bandwidth Bytes `yaml:"bandwidth,omitempty" json:"bandwidth,omitzero"`
	// Resets is the probability, 0 to 1, that the connection of a command that
	// reads or writes documents is reset, in half of the cases after its execution.
	Resets float64 `yaml:"resets,omitempty" json:"resets,omitempty"`
	// Documents is "per-item" (default: one document per item with its records embedded),
	// "per-record", or "none" for a program of the user's own that writes nothing.
	Documents string `yaml:"documents,omitempty" json:"documents,omitempty"`
}

// Linked reports whether the connection to the database has added delays or faults.
func (d Database) Linked() bool {
	return d.Latency > 0 || d.Bandwidth > 0 || d.Resets > 0
}

// SUT describes the system under test and its limits.
type SUT struct {
	// NoFile is RLIMIT_NOFILE, soft and hard. Default 1024.
	NoFile int `yaml:"nofile,omitempty" json:"nofile,omitempty"`
	// Hosts is the number of processes of a trial, each with its own limits, to which the
	// items are dealt out, or the requests to a service: request k goes to host k mod
	// Hosts. Zero means 1. See [SUT.HostCount].
	Hosts int `yaml:"hosts,omitempty" json:"hosts,omitempty"`
	// Timeout of one trial. Default 120s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitzero"`
	// ReadyTimeout bounds the time from the start of the process until it reports
	// that it is ready; zero means 30s.
	ReadyTimeout Duration `yaml:"ready_timeout,omitempty" json:"ready_timeout,omitzero"`
	// Warmup is work before the measured part, in the same process; zero means none.
	Warmup Warmup `yaml:"warmup,omitempty" json:"warmup,omitzero"`
	// Serial is the CPU time of an item under one lock, as in an interpreter with a global lock.
	Serial Serial `yaml:"serial,omitempty" json:"serial,omitzero"`
	// Command runs instead of the built-in SUT. With Service it is an HTTP service;
	// otherwise it speaks the protocol of package bench/sut. Arguments may
	// hold {{limit}} and other variables, and ${NAME} of the environment.
	Command []string `yaml:"command,omitempty" json:"command,omitempty"`
	// Env is added to the environment of Command; values may hold variables as well.
	Env Values `yaml:"env,omitempty" json:"env,omitempty"`
	// Ready describes how an HTTP service shows that it is ready. Default: it accepts
	// connections.
	Ready Ready `yaml:"ready,omitempty" json:"ready,omitzero"`
	// Metrics are metrics of an HTTP service that join its time series; nil means none.
	Metrics *Scrape `yaml:"metrics,omitempty" json:"metrics,omitempty"`
	// Pprof is where the program serves Go's profiles (net/http/pprof), for "floodgate run
	// --profile": a path of an HTTP service, or a URL; empty means nowhere. See [SUT.PprofURL].
	Pprof string `yaml:"pprof,omitempty" json:"pprof,omitempty"`
	// PID is a process that runs already, and Port the loopback port on which it listens,
	// in place of Command; zero means that Command is started. Such a process is never
	// signalled. Its blocks are windows of time.
	PID  int `yaml:"pid,omitempty" json:"pid,omitempty"`
	Port int `yaml:"port,omitempty" json:"port,omitempty"`
	// Host is the other machine on which the service of Port runs; empty means this one.
	// It must be allowed by --allow-target. It gets load, and its process is not seen.
	Host string `yaml:"host,omitempty" json:"host,omitempty"`
	// Addr is the loopback address that an HTTP service listens on; empty means a
	// free one, which the service gets as {{addr}} or {{port}}.
	Addr string `yaml:"addr,omitempty" json:"addr,omitempty"`
	// Build is the command that builds Command. It runs in the folder of the scenario:
	// before floodgate run, and in a copy of each revision in floodgate gate diff.
	Build []string `yaml:"build,omitempty" json:"build,omitempty"`
	// FetchTimeout and WriteTimeout bound one request and one write. Default 30s each.
	FetchTimeout Duration `yaml:"fetch_timeout,omitempty" json:"fetch_timeout,omitzero"`
	WriteTimeout Duration `yaml:"write_timeout,omitempty" json:"write_timeout,omitzero"`
	// Container runs the SUT in a container; zero means that it is a process.
	Container Container `yaml:"container,omitempty" json:"container,omitzero"`
	// CPUs and Memory limit that container; zero means unlimited.
	CPUs   float64 `yaml:"cpus,omitempty" json:"cpus,omitempty"`
	Memory Bytes   `yaml:"memory,omitempty" json:"memory,omitzero"`
}

// Warmup is work that a SUT does before the measured part, in the same process, and that is
// part of no figure: a program that compiles as it runs is slower at first. At most one
// field is set.
type Warmup struct {
	// Items is the number of items, or of requests to an HTTP service.
	Items int `yaml:"items,omitempty" json:"items,omitempty"`
	// For is the time for which items, or requests, follow each other.
	For Duration `yaml:"for,omitempty" json:"for,omitzero"`
}

// warmupRound is the number of items of a warm-up that lasts for a given time; they are
// processed over and over.
const warmupRound = 50

// Container describes the container of the SUT. In YAML, true means BuiltIn.
type Container struct {
	// BuiltIn runs the built-in SUT in the network of this machine.
	BuiltIn bool `yaml:"built_in,omitempty,short" json:"built_in,omitempty"`
	// Image runs an HTTP service in an image of the user's own: SUT.Command, or the image's
	// entrypoint if there is none. In the pods of a cluster, it is also the image of a program
	// that speaks the protocol, and SUT.Command must be set.
	Image string `yaml:"image,omitempty" json:"image,omitempty"`
	// Port is the TCP port on which the service listens in a network of its own, which
	// is published on a free port of 127.0.0.1. Zero means the network of this machine.
	Port int `yaml:"port,omitempty" json:"port,omitempty"`
}

// MarshalJSON writes the container of the built-in SUT as true.
func (c Container) MarshalJSON() ([]byte, error) {
	if c == (Container{BuiltIn: true}) {
		return []byte("true"), nil
	}
	type fields Container
	return json.Marshal(fields(c))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Container) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &c.BuiltIn) == nil {
		return nil
	}
	type fields Container
	return json.Unmarshal(data, (*fields)(c))
}

// Containers are the limits of the containers of an environment.
type Containers struct {
	Upstream Limits `yaml:"upstream,omitempty" json:"upstream,omitzero"`
	Database Limits `yaml:"database,omitempty" json:"database,omitzero"`
}

// Limits of a container; zero means unlimited.
type Limits struct {
	CPUs   float64 `yaml:"cpus,omitempty" json:"cpus,omitempty"`
	Memory Bytes   `yaml:"memory,omitempty" json:"memory,omitzero"`
}

// External bounds the requests of a run to an external upstream.
type External struct {
	// Requests is the most requests of the whole run: a run that needs more does not
	// start, or ends when a program of the user's own has sent them. Default 50,000.
	Requests int `yaml:"requests,omitempty" json:"requests,omitempty"`
	// Rate is the most requests that start per second; all of them may start at
	// once. The SUT throttles the others, or the proxy in front of a program of the
	// user's own. Default 1,000.
	Rate int `yaml:"rate,omitempty" json:"rate,omitempty"`
}

// Serial is the CPU time of an item under one lock. A plain duration in YAML means Fetch.
type Serial struct {
	// Fetch is spent half before the request and half when its answer has arrived.
	Fetch Duration `yaml:"fetch,omitempty,short" json:"fetch,omitzero"`
	// Write is spent at each write; the lock is held until the write is done.
	Write Duration `yaml:"write,omitempty" json:"write,omitzero"`
}

// Default bounds of the requests to an external upstream.
const (
	DefaultExternalRequests = 50_000
	DefaultExternalRate     = 1000
)

// DefaultReadyTimeout is the default of SUT.ReadyTimeout.
const DefaultReadyTimeout = Duration(30 * time.Second)

// MaxReady returns ReadyTimeout or its default.
func (s SUT) MaxReady() time.Duration {
	return time.Duration(cmp.Or(s.ReadyTimeout, DefaultReadyTimeout))
}

// MaxRequests returns Requests or its default.
func (e External) MaxRequests() int { return cmp.Or(e.Requests, DefaultExternalRequests) }

// MaxRate returns Rate or its default.
func (e External) MaxRate() int { return cmp.Or(e.Rate, DefaultExternalRate) }

// Variant is one way to run the pipeline: a strategy and its parameters.
type Variant struct {
	// Name defaults to the strategy with its limit: "sequential", "bounded-10".
	Name string `yaml:"name,omitempty" json:"name"`
	// Strategy is one of [pipeline.Strategies]; empty for an HTTP service that
	// sut.command starts.
	Strategy pipeline.Kind `yaml:"strategy,omitempty" json:"strategy,omitempty"`
	// Vars are the values of the variables {{name}} in the command, environment and
	// requests of a program of the user's own.
	Vars Values `yaml:"vars,omitempty" json:"vars,omitempty"`
	// Limit is the number of concurrent fetches. An HTTP service that sut.command
	// starts gets it as {{limit}}.
	Limit int `yaml:"limit,omitempty" json:"limit,omitempty"`
	// Writers is the number of concurrent writes.
	Writers int `yaml:"writers,omitempty" json:"writers,omitempty"`
	// Queue is the number of values that may wait for a writer.
	Queue int `yaml:"queue,omitempty" json:"queue,omitempty"`
	// Batch is the most documents in one bulk write; Linger is the time for which one that is not full waits.
	Batch  int      `yaml:"batch,omitempty" json:"batch,omitempty"`
	Linger Duration `yaml:"linger,omitempty" json:"linger,omitzero"`
	// Algorithm finds the limit of strategy adaptive: one of [pipeline.Algorithms]. Empty
	// means [pipeline.DefaultAlgorithm]. Parameters are its settings, by name; those that
	// are missing have their defaults.
	Algorithm  string `yaml:"algorithm,omitempty" json:"algorithm,omitempty"`
	Parameters Values `yaml:"parameters,omitempty" json:"parameters,omitempty"`
	// Scope of the limit of a service: "report" (default: each report has its own
	// limit) or "shared" by all reports.
	Scope string `yaml:"scope,omitempty" json:"scope,omitempty"`
	// Waiting is the number of items of all reports that may wait for a slot; a
	// report that does not fit is rejected. For scope shared; nil means any number.
	Waiting *int `yaml:"waiting,omitempty" json:"waiting,omitempty"`
	// LimitScope is [LimitScopeHost] (default: each host of a trial has the whole limit) or
	// [LimitScopeFleet] (the hosts divide it).
	LimitScope string `yaml:"limit_scope,omitempty" json:"limit_scope,omitempty"`
	// Where maps each factor to the one value that selects the levels at which the
	// variant runs; empty means all levels.
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
	// Connections of the variant; defaults follow from the strategy.
	Connections Connections `yaml:"connections,omitempty" json:"connections,omitzero"`
}

// Connections describes the variant's connections to the upstream and the database.
type Connections struct {
	// Upstream is "keep-alive" (default) or "fresh": a new connection for each request.
	Upstream string `yaml:"upstream,omitempty" json:"upstream,omitempty"`
	// Clients is "shared" (default) or "per-batch": created for each batch and closed
	// after it. For a service: "shared", "per-report", or "forgotten": created for
	// each report and never closed.
	Clients string `yaml:"clients,omitempty" json:"clients,omitempty"`
	// MaxConnsPerHost bounds the connections to the upstream; zero means unlimited. The default depends on the strategy.
	MaxConnsPerHost *int `yaml:"max_conns_per_host,omitempty" json:"max_conns_per_host,omitempty"`
	// MaxPoolSize bounds the driver's pool; zero means unlimited. The default depends on the strategy.
	MaxPoolSize *int `yaml:"max_pool_size,omitempty" json:"max_pool_size,omitempty"`
}

// Quick holds the replacements for --quick; zero fields replace nothing.
type Quick struct {
	Levels   []LevelSet `yaml:"levels,omitempty" json:"levels,omitempty"`
	Blocks   int        `yaml:"blocks,omitempty" json:"blocks,omitempty"`
	Variants []string   `yaml:"variants,omitempty" json:"variants,omitempty"`
}

// Claim is a statement to judge. Exactly one of Reduction, Growth,
// Descriptors, Documents, LimitRespected, Exhaustion, Cause, TimeSeries,
// PredictedExhaustion and Adaptation is set.
type Claim struct {
	ID string `yaml:"id" json:"id"`
	// Statement is the claim in its author's words; the summary prints it.
	Statement string `yaml:"statement" json:"statement"`
	// Expect is "proved" (default) or "refuted". It determines the exit code.
	Expect              string                    `yaml:"expect,omitempty" json:"expect,omitempty"`
	Reduction           *ReductionClaim           `yaml:"reduction,omitempty" json:"reduction,omitempty"`
	Growth              *GrowthClaim              `yaml:"growth,omitempty" json:"growth,omitempty"`
	Descriptors         *DescriptorsClaim         `yaml:"descriptors,omitempty" json:"descriptors,omitempty"`
	Documents           *DocumentsClaim           `yaml:"documents,omitempty" json:"documents,omitempty"`
	LimitRespected      *LimitRespectedClaim      `yaml:"limit_respected,omitempty" json:"limit_respected,omitempty"`
	Exhaustion          *ExhaustionClaim          `yaml:"exhaustion,omitempty" json:"exhaustion,omitempty"`
	Cause               *CauseClaim               `yaml:"cause,omitempty" json:"cause,omitempty"`
	TimeSeries          *TimeSeriesClaim          `yaml:"time_series,omitempty" json:"time_series,omitempty"`
	PredictedExhaustion *PredictedExhaustionClaim `yaml:"predicted_exhaustion,omitempty" json:"predicted_exhaustion,omitempty"`
	Adaptation          *AdaptationClaim          `yaml:"adaptation,omitempty" json:"adaptation,omitempty"`
}

// ReductionClaim states that each variant of Of takes at least AtLeast (a percentage
// such as "60%") less time than Reference, at every level that Where selects.
type ReductionClaim struct {
	Of        []string `yaml:"of" json:"of"`
	Reference string   `yaml:"reference" json:"reference"`
	AtLeast   Percent  `yaml:"at_least" json:"at_least"`
	// Where maps each factor to the one value that selects levels; empty means all levels.
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// GrowthClaim states that the reduction of each variant of Of grows with the factor With
// (default "items"), from its smallest level to its largest.
type GrowthClaim struct {
	Of        []string       `yaml:"of" json:"of"`
	Reference string         `yaml:"reference" json:"reference"`
	With      string         `yaml:"with,omitempty" json:"with,omitempty"`
	Where     map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// DescriptorsClaim states that the peak descriptors of each variant of Within stay at or
// below the number predicted for it, in every trial, and those of each
// variant of Grows grow with the factor With (default "items").
type DescriptorsClaim struct {
	Within []string `yaml:"within,omitempty" json:"within,omitempty"`
	Grows  []string `yaml:"grows,omitempty" json:"grows,omitempty"`
	With   string   `yaml:"with,omitempty" json:"with,omitempty"`
}

// DocumentsClaim states that no trial of the variants of Of lost, duplicated or
// corrupted a document; an empty Of means all variants.
type DocumentsClaim struct {
	Of []string `yaml:"of,omitempty" json:"of,omitempty"`
}

// LimitRespectedClaim states that the upstream never saw more requests in flight than
// the limit that each variant of Of declares, in any trial.
type LimitRespectedClaim struct {
	Of []string `yaml:"of" json:"of"`
}

// Percent is a share, 0.6 for "60%". In YAML and JSON it is text with a percent sign.
type Percent float64

// ExhaustionClaim states that every trial of the variants of Of, of a service,
// runs out of file descriptors (EMFILE), at every level that Where selects, or
// that no trial does. It is refuted if all trials show the opposite.
type ExhaustionClaim struct {
	Of []string `yaml:"of" json:"of"`
	// Is "always" (default) or "never".
	Is    string         `yaml:"is,omitempty" json:"is,omitempty"`
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// CauseClaim states why the descriptors of the variants of Of, of a service,
// grow: "leak" (completed reports leave them open), "load" (reports in flight hold
// them) or "neither" (they do not grow with reports).
type CauseClaim struct {
	Of    []string       `yaml:"of" json:"of"`
	Is    string         `yaml:"is" json:"is"`
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// TimeSeriesClaim states that in every trial of the variants of Of, of a service, the
// time series of Climbs grow during the load and those of Steady do not. Both contain
// names of [TimeSeriesColumns].
type TimeSeriesClaim struct {
	Of     []string       `yaml:"of" json:"of"`
	Climbs []string       `yaml:"climbs,omitempty" json:"climbs,omitempty"`
	Steady []string       `yaml:"steady,omitempty" json:"steady,omitempty"`
	Where  map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// PredictedExhaustionClaim states that in every trial of the variants of Of, of a
// service, descriptors run out at the time predicted when half of them were open, with
// an error of at most Within of that time.
type PredictedExhaustionClaim struct {
	Of     []string       `yaml:"of" json:"of"`
	Within Percent        `yaml:"within" json:"within"`
	Where  map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// AdaptationClaim states how the limits of the adaptive variants of Of adapt to the steps
// (phases) of the upstream. The best fixed limit is the smallest one of the bounded
// variants with at least 95 % of the highest throughput of all of them. At least one of
// ConvergesWithin, Overshoot, ThroughputLost and P99 is set.
type AdaptationClaim struct {
	Of []string `yaml:"of" json:"of"`
	// ConvergesWithin is the time from a step within which the limit settles, in every
	// trial; zero means no claim about it.
	ConvergesWithin Duration `yaml:"converges_within,omitempty" json:"converges_within,omitzero"`
	// Overshoot is the highest limit after a step in every trial, as a multiple of the best
	// fixed limit from that step on; zero means no claim about it.
	Overshoot float64 `yaml:"overshoot,omitempty" json:"overshoot,omitempty"`
	// ThroughputLost is the greatest share of the throughput of the best fixed limit that is
	// lost; nil means no claim about it.
	ThroughputLost *Percent `yaml:"throughput_lost,omitempty" json:"throughput_lost,omitempty"`
	// P99 is the greatest 99th percentile of the time of an item, as a multiple of that of
	// the best fixed limit; zero means no claim about it.
	P99   float64        `yaml:"p99,omitempty" json:"p99,omitempty"`
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// TimeSeriesColumns returns the columns of a time series to which a claim may refer:
// goroutines, threads, memory, descriptors and work in progress.
func TimeSeriesColumns() []string {
	return []string{
		"goroutines", "threads", "rss_bytes", "descriptors",
		"reports_in_flight", "items_outstanding", "items_fetching", "items_writing", "slots_in_use",
		"upstream_connecting", "upstream_open", "mongo_connecting", "mongo_open", "mongo_in_use", "mongo_idle",
	}
}
