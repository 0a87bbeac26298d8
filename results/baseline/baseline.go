// Package baseline stores the measurements of a good run in a file that is
// reviewed and committed, and compares later runs with it. See the example of
// [Compare].
//
// The file is YAML with one metric per line, in the order of the run's table, and
// is read strictly: keys that are missing, unknown or repeated, impossible numbers
// and contradictory figures are errors with their line. It holds the values of
// every block, so that a run with the same draws is compared block by block.
//
// [Compare] judges all metrics on the machine of the baseline, and on other
// machines those that are ratios within one run or counts. It lists what it cannot
// compare.
package baseline

// Schema is the version of the file that this package reads and writes.
const Schema = 2

// Baseline holds the measurements of one run.
type Baseline struct {
	Schema   int    `yaml:"schema"`
	Scenario string `yaml:"scenario"`
	// Hash is the hash by [results.Header.Design]. A run with the same Hash and Seed
	// made the same draws.
	Hash     string `yaml:"hash"`
	Seed     uint64 `yaml:"seed"`
	Quick    bool   `yaml:"quick"`
	Run      string `yaml:"run"`
	Recorded string `yaml:"recorded"` // day, 2026-11-22
	Revision string `yaml:"revision"`
	// Modified reports that the program differed from that revision.
	Modified    bool        `yaml:"modified"`
	Environment Environment `yaml:"environment"`
	Machine     Machine     `yaml:"machine"`
	// Program describes the program under test if it is not Floodgate's own and its
	// toolchain or C library is known; nil means neither.
	Program *Program `yaml:"program,omitempty"`
	// Drawn reports that the mock upstream answered, whose delays follow from the seed.
	Drawn bool `yaml:"drawn"`
	// Blocks is the number of blocks planned for every cell.
	Blocks int `yaml:"blocks"`
	// Reference is the reference variant of reductions; empty means that there are none.
	Reference string `yaml:"reductions_against"`
	Cells     []Cell `yaml:"cells"`
}

// Environment is the environment of the run.
type Environment struct {
	Kind     string `yaml:"kind"`
	Database string `yaml:"database"`
	Upstream string `yaml:"upstream"`
	// SUT is where the program under test ran: process or container.
	SUT string `yaml:"sut"`
	// Limits are those of the containers, as in [results.Setting]. Like the fields below
	// that are empty or zero, it was not recorded in files of earlier versions.
	Limits string `yaml:"container_limits,omitempty"`
	// Profiles are the kinds of profiles that were taken; empty means none.
	Profiles string `yaml:"profiles,omitempty"`
	// Traces reports whether items or requests were traced.
	Traces bool `yaml:"traces,omitempty"`
}

// Program is a program under test of the user's own, as in [results.SUT].
type Program struct {
	Toolchain string `yaml:"toolchain,omitempty"`
	CLibrary  string `yaml:"c_library,omitempty"`
}

// Machine is the machine of the run.
type Machine struct {
	CPU    string `yaml:"cpu"`
	Cores  int    `yaml:"cores"`
	OS     string `yaml:"os"`
	Arch   string `yaml:"arch"`
	Kernel string `yaml:"kernel"`
	Go     string `yaml:"go"`
	// GOMAXPROCS is zero in files written before it was recorded; CPUQuota, in cores,
	// is zero if there was none.
	GOMAXPROCS int     `yaml:"gomaxprocs,omitempty"`
	CPUQuota   float64 `yaml:"cpu_quota,omitempty"`
	// Memory, MemoryLimit, Governor and Pinning are as in [results.Fingerprint].
	Memory      int64  `yaml:"memory_bytes,omitempty"`
	MemoryLimit int64  `yaml:"memory_limit_bytes,omitempty"`
	Governor    string `yaml:"governor,omitempty"`
	Pinning     string `yaml:"pinning,omitempty"`
}

// Cell is a variant at a level. Lists have one value for each of Blocks; nil means
// that the metric was unavailable.
type Cell struct {
	Variant string `yaml:"variant"`
	Level   string `yaml:"level"`
	// Blocks lists the blocks whose trials were measured.
	Blocks []int `yaml:"blocks"`
	// ItemsFailed holds the failed items of each; nil means none.
	ItemsFailed []int `yaml:"items_failed,omitempty"`

	Makespan    []float64 `yaml:"makespan_ms,omitempty"`
	Efficiency  []float64 `yaml:"efficiency,omitempty"`
	ItemP50     []float64 `yaml:"item_p50_ms,omitempty"`
	ItemP99     []float64 `yaml:"item_p99_ms,omitempty"`
	ResponseP50 []float64 `yaml:"response_p50_ms,omitempty"`
	ResponseP99 []float64 `yaml:"response_p99_ms,omitempty"`
	Fetch       []float64 `yaml:"fetch_mean_ms,omitempty"`
	PoolWait    []float64 `yaml:"pool_wait_mean_ms,omitempty"`
	Write       []float64 `yaml:"write_mean_ms,omitempty"`
	CPU         []float64 `yaml:"cpu_per_item_ms,omitempty"`
	Memory      []float64 `yaml:"memory_mib,omitempty"`
	Allocs      []float64 `yaml:"allocations_per_item,omitempty"`

	// Reduction follows from the makespans; it is stored for human readers.
	Reduction *Reduction `yaml:"reduction,omitempty"`

	// Peak is the peak of descriptors of all trials, Predicted the bound for it, and
	// Leaked the largest number that a trial leaked.
	Peak      *int `yaml:"peak_descriptors,omitempty"`
	Predicted *int `yaml:"predicted_descriptors,omitempty"`
	Leaked    *int `yaml:"leaked_descriptors,omitempty"`
	// Unfinished counts the trials that crashed, hung or timed out.
	Unfinished int     `yaml:"unfinished_trials"`
	Errors     []Error `yaml:"errors"`
	Writes     *Writes `yaml:"writes,omitempty"` // nil means not checked
}

// Reduction is 1 - makespan ÷ makespan of the reference, with its 95 % interval if
// there are enough pairs.
type Reduction struct {
	Estimate float64  `yaml:"estimate"`
	Low      *float64 `yaml:"low,omitempty"`
	High     *float64 `yaml:"high,omitempty"`
}

// Error counts errors of one type over all trials of a cell.
type Error struct {
	Type  string `yaml:"type"`
	Count int    `yaml:"count"`
}

// Writes sums up the checks of the database in all trials of a cell.
type Writes struct {
	// Checked is the number of checked trials; Read reports that the content was
	// compared, too.
	Checked   int  `yaml:"checked_trials"`
	Read      bool `yaml:"read"`
	Lost      int  `yaml:"lost"`
	Duplicate int  `yaml:"duplicate"`
	Corrupt   int  `yaml:"corrupt"` // or foreign
}
