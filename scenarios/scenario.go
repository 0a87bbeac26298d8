// Package scenarios holds the scenario: one experiment as a YAML file. It
// loads files strictly, reporting every mistake with its place ([Load],
// [Parse]), expands a scenario to the levels that it is run at
// ([Scenario.ExpandLevels]), predicts the descriptors and the makespan of a variant ([Predict], [Ideal]), lists
// the items ([Scenario.ItemArgs]), describes the format to editors
// ([JSONSchema]) and embeds the built-in catalogue ([Builtin]).
package scenarios

import (
	"cmp"
	"time"

	"floodgate/mockupstream"
	"floodgate/scenarios/pipeline"
)

// Duration is a time.Duration written as text ("20ms").
type Duration = mockupstream.Duration

// Scenario is one experiment: what is fetched, from what upstream, written
// where, by which variants, at which levels, and what is claimed of it.
type Scenario struct {
	// Version of the file format; 1.
	Version int `yaml:"version" json:"version"`
	// Name is a short identifier: lower case letters, digits, hyphens.
	Name        string `yaml:"name" json:"name"`
	Title       string `yaml:"title" json:"title"`
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Seed of every draw. Block b uses a seed derived from (Seed, b). Default 1.
	Seed  uint64 `yaml:"seed,omitempty" json:"seed"`
	Items Items  `yaml:"items" json:"items"`
	// Upstream is the profile of the mock upstream. Default: it answers at once,
	// with one record an item and no faults.
	Upstream mockupstream.Profile `yaml:"upstream,omitempty" json:"upstream"`
	Database Database             `yaml:"database,omitempty" json:"database,omitzero"`
	SUT      SUT                  `yaml:"sut,omitempty" json:"sut,omitzero"`
	// Containers bounds what the upstream and the database may use; such a
	// scenario runs in the environment "containers" alone.
	Containers Containers `yaml:"containers,omitempty" json:"containers,omitzero"`
	// Service has the SUT serve reports under load in place of working off its
	// items once. Nil: it does that.
	Service *Service `yaml:"service,omitempty" json:"service,omitempty"`
	// SLO is what the service must keep at a sustained rate. Nil: none is named.
	SLO *SLO `yaml:"slo,omitempty" json:"slo,omitempty"`
	// External bounds what an external upstream is asked for.
	External External  `yaml:"external,omitempty" json:"external,omitzero"`
	Variants []Variant `yaml:"variants" json:"variants"`
	// Levels: each entry maps a factor (a path in this file such as
	// "items.count", "upstream.latency.median", "database.latency",
	// "sut.nofile") to one value or a list; an entry is the product of its
	// lists, and Levels is the union of the entries.
	Levels []LevelSet `yaml:"levels" json:"levels"`
	// Blocks is how many times every variant runs at every level. At least 6.
	Blocks int `yaml:"blocks" json:"blocks"`
	// Quick replaces Levels, Blocks and Variants with --quick. Nil: none.
	Quick  *Quick  `yaml:"quick,omitempty" json:"quick,omitempty"`
	Claims []Claim `yaml:"claims,omitempty" json:"claims,omitempty"`
	// Thresholds are budgets that the run must keep.
	Thresholds []Threshold `yaml:"thresholds,omitempty" json:"thresholds,omitempty"`
}

// LevelSet maps factor paths to scalar values or lists of scalars; its key
// "name" may hold a short name for reports.
type LevelSet map[string]any

// Items says what the pipeline works on.
type Items struct {
	// Kind is "phone-numbers" (one argument) or "date-ranges" (start and end date).
	Kind string `yaml:"kind" json:"kind"`
	// Count is the number N of distinct items. The factor "items" is short for "items.count".
	Count int `yaml:"count,omitempty" json:"count,omitempty"`
	// Duplicates is the share of further items that repeat earlier ones, 0 to 1.
	Duplicates float64 `yaml:"duplicates,omitempty" json:"duplicates,omitempty"`
	// Batches splits the items into this many batches, run one after another. Default 1.
	Batches int `yaml:"batches,omitempty" json:"batches,omitempty"`
}

// Database says how the database behaves beyond what it is.
type Database struct {
	// Latency is added to every command that reads or writes documents. Default none.
	Latency Duration `yaml:"latency,omitempty" json:"latency,omitzero"`
	// Jitter spreads Latency evenly from Latency − Jitter to Latency + Jitter;
	// at most Latency. Default none.
	Jitter Duration `yaml:"jitter,omitempty" json:"jitter,omitzero"`
	// Bandwidth in bytes a second, each way, that all connections share. 0: unlimited.
	Bandwidth Bytes `yaml:"bandwidth,omitempty" json:"bandwidth,omitzero"`
	// Resets is the probability, 0 to 1, that the connection of a command that
	// reads or writes documents is reset, half of them after it was carried out.
	Resets float64 `yaml:"resets,omitempty" json:"resets,omitempty"`
	// Documents is "per-item" (default: one document an item, its records embedded) or "per-record".
	Documents string `yaml:"documents,omitempty" json:"documents,omitempty"`
}

// Linked says that the way to the database is to behave in any special way.
func (d Database) Linked() bool {
	return d.Latency > 0 || d.Bandwidth > 0 || d.Resets > 0
}

// SUT says how the system under test runs.
type SUT struct {
	// NoFile is RLIMIT_NOFILE, soft and hard. Default 1024.
	NoFile int `yaml:"nofile,omitempty" json:"nofile,omitempty"`
	// Timeout of one trial. Default 120s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitzero"`
	// ReadyTimeout bounds the time from the start of the process until it says that
	// it is ready; zero means 30s.
	ReadyTimeout Duration `yaml:"ready_timeout,omitempty" json:"ready_timeout,omitzero"`
	// Serial is CPU time that an item needs under one lock, as an interpreter with a global lock does.
	Serial Serial `yaml:"serial,omitempty" json:"serial,omitzero"`
	// Command runs instead of our own SUT; it speaks the protocol of package bench/sut.
	Command []string `yaml:"command,omitempty" json:"command,omitempty"`
	// FetchTimeout and WriteTimeout bound one request and one write. Default 30s each.
	FetchTimeout Duration `yaml:"fetch_timeout,omitempty" json:"fetch_timeout,omitzero"`
	WriteTimeout Duration `yaml:"write_timeout,omitempty" json:"write_timeout,omitzero"`
	// Container runs our own SUT in a container, in the network of this machine.
	Container bool `yaml:"container,omitempty" json:"container,omitempty"`
	// CPUs and Memory bound that container. 0: unlimited.
	CPUs   float64 `yaml:"cpus,omitempty" json:"cpus,omitempty"`
	Memory Bytes   `yaml:"memory,omitempty" json:"memory,omitzero"`
}

// Containers are the limits of the containers of an environment.
type Containers struct {
	Upstream Limits `yaml:"upstream,omitempty" json:"upstream,omitzero"`
	Database Limits `yaml:"database,omitempty" json:"database,omitzero"`
}

// Limits of a container; 0: unlimited.
type Limits struct {
	CPUs   float64 `yaml:"cpus,omitempty" json:"cpus,omitempty"`
	Memory Bytes   `yaml:"memory,omitempty" json:"memory,omitzero"`
}

// External bounds what a run asks of an upstream that is not ours.
type External struct {
	// Requests of the whole run at most: a run that needs more does not start.
	// Default 50,000.
	Requests int `yaml:"requests,omitempty" json:"requests,omitempty"`
	// Rate is how many requests a second may be begun at most, as many of them
	// at once; the SUT holds the others back. Default 1,000.
	Rate int `yaml:"rate,omitempty" json:"rate,omitempty"`
}

// Serial is CPU time under one lock an item. A plain duration in YAML means Fetch.
type Serial struct {
	// Fetch is spent half before the request and half when its answer has arrived.
	Fetch Duration `yaml:"fetch,omitempty,short" json:"fetch,omitzero"`
	// Write is spent at each write; the lock is kept until the write is done.
	Write Duration `yaml:"write,omitempty" json:"write,omitzero"`
}

// Bounds of what an external upstream is asked for where the scenario sets none.
const (
	DefaultExternalRequests = 50_000
	DefaultExternalRate     = 1000
)

// DefaultReadyTimeout is how long a SUT may take until it is ready.
const DefaultReadyTimeout = Duration(30 * time.Second)

// MaxReady is ReadyTimeout or its default.
func (s SUT) MaxReady() time.Duration {
	return time.Duration(cmp.Or(s.ReadyTimeout, DefaultReadyTimeout))
}

// MaxRequests is Requests or its default.
func (e External) MaxRequests() int { return cmp.Or(e.Requests, DefaultExternalRequests) }

// MaxRate is Rate or its default.
func (e External) MaxRate() int { return cmp.Or(e.Rate, DefaultExternalRate) }

// Variant is one way to run the pipeline: a strategy and its parameters.
type Variant struct {
	// Name defaults to the strategy with its limit: "sequential", "bounded-10".
	Name string `yaml:"name,omitempty" json:"name"`
	// Strategy is one of [pipeline.Strategies].
	Strategy pipeline.Kind `yaml:"strategy" json:"strategy"`
	// Limit is the number of fetches at once.
	Limit int `yaml:"limit,omitempty" json:"limit,omitempty"`
	// Writers is the number of writes at once.
	Writers int `yaml:"writers,omitempty" json:"writers,omitempty"`
	// Queue is the number of values that may wait for a writer.
	Queue int `yaml:"queue,omitempty" json:"queue,omitempty"`
	// Batch is the most documents in one bulk write; Linger is how long one that is not full waits.
	Batch  int      `yaml:"batch,omitempty" json:"batch,omitempty"`
	Linger Duration `yaml:"linger,omitempty" json:"linger,omitzero"`
	// Scope of the limit of a service: "report" (default: each report has one of
	// its own) or "shared" by all reports.
	Scope string `yaml:"scope,omitempty" json:"scope,omitempty"`
	// Waiting is how many items may wait for a slot, all reports together; a
	// report that does not fit is turned away. For scope shared. Nil: any number.
	Waiting *int `yaml:"waiting,omitempty" json:"waiting,omitempty"`
	// Where maps factors to the one value that selects the levels at which the
	// variant runs. Empty: all levels.
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
	// Connections; what is left out follows from the strategy.
	Connections Connections `yaml:"connections,omitempty" json:"connections,omitzero"`
}

// Connections says how the variant connects to the upstream and the database.
type Connections struct {
	// Upstream is "keep-alive" (default) or "fresh": a new connection a request.
	Upstream string `yaml:"upstream,omitempty" json:"upstream,omitempty"`
	// Clients is "shared" (default) or "per-batch": made for each batch and closed
	// after it. Of a service: "shared", "per-report", or "forgotten": made for
	// each report and never closed.
	Clients string `yaml:"clients,omitempty" json:"clients,omitempty"`
	// MaxConnsPerHost bounds connections to the upstream; 0: unlimited. Default: by strategy.
	MaxConnsPerHost *int `yaml:"max_conns_per_host,omitempty" json:"max_conns_per_host,omitempty"`
	// MaxPoolSize bounds the driver's pool; 0: unlimited. Default: by strategy.
	MaxPoolSize *int `yaml:"max_pool_size,omitempty" json:"max_pool_size,omitempty"`
}

// Quick is what --quick replaces; zero fields replace nothing.
type Quick struct {
	Levels   []LevelSet `yaml:"levels,omitempty" json:"levels,omitempty"`
	Blocks   int        `yaml:"blocks,omitempty" json:"blocks,omitempty"`
	Variants []string   `yaml:"variants,omitempty" json:"variants,omitempty"`
}

// Claim is a statement to judge. Exactly one of Reduction, Growth,
// Descriptors, Documents, Exhaustion, Cause, Course and Forecast is set.
type Claim struct {
	ID string `yaml:"id" json:"id"`
	// Says is the claim in its author's words; it stands on the printed summary.
	Says string `yaml:"says" json:"says"`
	// Expect is "proved" (default) or "refuted": what the exit code goes by.
	Expect      string            `yaml:"expect,omitempty" json:"expect,omitempty"`
	Reduction   *ReductionClaim   `yaml:"reduction,omitempty" json:"reduction,omitempty"`
	Growth      *GrowthClaim      `yaml:"growth,omitempty" json:"growth,omitempty"`
	Descriptors *DescriptorsClaim `yaml:"descriptors,omitempty" json:"descriptors,omitempty"`
	Documents   *DocumentsClaim   `yaml:"documents,omitempty" json:"documents,omitempty"`
	Exhaustion  *ExhaustionClaim  `yaml:"exhaustion,omitempty" json:"exhaustion,omitempty"`
	Cause       *CauseClaim       `yaml:"cause,omitempty" json:"cause,omitempty"`
	Course      *CourseClaim      `yaml:"course,omitempty" json:"course,omitempty"`
	Forecast    *ForecastClaim    `yaml:"forecast,omitempty" json:"forecast,omitempty"`
}

// ReductionClaim says that each variant of Of takes at least AtLeast (a percentage
// such as "60%") less time than Against, at every level that Where selects.
type ReductionClaim struct {
	Of      []string `yaml:"of" json:"of"`
	Against string   `yaml:"against" json:"against"`
	AtLeast Percent  `yaml:"at_least" json:"at_least"`
	// Where maps factors to the one value that selects levels. Empty: all levels.
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// GrowthClaim says that the reduction of each variant of Of grows with the factor With
// (default "items"), from its smallest level to its largest.
type GrowthClaim struct {
	Of      []string       `yaml:"of" json:"of"`
	Against string         `yaml:"against" json:"against"`
	With    string         `yaml:"with,omitempty" json:"with,omitempty"`
	Where   map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// DescriptorsClaim says that the peak descriptors of each variant of Within stay at or
// below the number predicted for it, in every trial, and those of each
// variant of Grows grow with the factor With (default "items").
type DescriptorsClaim struct {
	Within []string `yaml:"within,omitempty" json:"within,omitempty"`
	Grows  []string `yaml:"grows,omitempty" json:"grows,omitempty"`
	With   string   `yaml:"with,omitempty" json:"with,omitempty"`
}

// DocumentsClaim says that no trial of the variants of Of (empty: all) lost,
// duplicated or garbled a document.
type DocumentsClaim struct {
	Of []string `yaml:"of,omitempty" json:"of,omitempty"`
}

// Percent is a share, 0.6 for "60%". In YAML and JSON it is text with a percent sign.
type Percent float64

// ExhaustionClaim says that every trial of the variants of Of, of a service,
// runs out of file descriptors (EMFILE), at every level that Where selects, or
// that none does. It is refuted where all trials show the opposite.
type ExhaustionClaim struct {
	Of []string `yaml:"of" json:"of"`
	// Is "always" (default) or "never".
	Is    string         `yaml:"is,omitempty" json:"is,omitempty"`
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// CauseClaim says why the descriptors of the variants of Of, of a service,
// grow: "leak" (reports completed leave them behind), "load" (reports in
// flight hold them) or "neither" (they do not grow with reports).
type CauseClaim struct {
	Of    []string       `yaml:"of" json:"of"`
	Is    string         `yaml:"is" json:"is"`
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// CourseClaim says that in every trial of the variants of Of, of a service,
// what Climbs lists grows while the load lasts, and what Steady lists does
// not. Both name what a service has in hand, of [CourseColumns].
type CourseClaim struct {
	Of     []string       `yaml:"of" json:"of"`
	Climbs []string       `yaml:"climbs,omitempty" json:"climbs,omitempty"`
	Steady []string       `yaml:"steady,omitempty" json:"steady,omitempty"`
	Where  map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// ForecastClaim says that in every trial of the variants of Of, of a service,
// the time at which descriptors run out is as it was predicted when half of
// them were open, give or take Within of it.
type ForecastClaim struct {
	Of     []string       `yaml:"of" json:"of"`
	Within Percent        `yaml:"within" json:"within"`
	Where  map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// CourseColumns are those columns of a record's series that a claim can be
// about: tasks (goroutines, threads), memory, descriptors, and what is in hand.
func CourseColumns() []string {
	return []string{
		"goroutines", "threads", "rss_bytes", "descriptors",
		"reports_in_flight", "items_outstanding", "items_fetching", "items_writing", "slots_in_use",
		"upstream_connecting", "upstream_open", "mongo_connecting", "mongo_open", "mongo_in_use", "mongo_idle",
	}
}
