// Package baseline keeps what a good run measured in a file that is reviewed
// and committed, and compares later runs with it.
//
// The file is YAML with a metric a line, in the order of the run's table, and
// is read strictly: a key that is missing, unknown or there twice, a number
// that cannot be, a figure that does not follow from the others is an error
// with its line. It holds the values of every block, so that a run with the
// same draws is compared with it block by block.
//
// [Compare] judges what the machine allows: on the machine of the baseline all
// metrics, elsewhere those that are ratios within one run or counts. What it
// cannot compare it lists.
package baseline

// Schema is the version of the file that this package reads and writes.
const Schema = 2

// Baseline is what one run measured.
type Baseline struct {
	Schema   int    `yaml:"schema"`
	Scenario string `yaml:"scenario"`
	// Hash of what ran, see [results.Header.Design], with Seed: where a run has the
	// same, it made the same draws.
	Hash     string `yaml:"hash"`
	Seed     uint64 `yaml:"seed"`
	Quick    bool   `yaml:"quick"`
	Run      string `yaml:"run"`
	Recorded string `yaml:"recorded"` // day, 2026-11-22
	Revision string `yaml:"revision"`
	// Modified: the program was not exactly that revision.
	Modified    bool        `yaml:"modified"`
	Environment Environment `yaml:"environment"`
	Machine     Machine     `yaml:"machine"`
	// Drawn: an upstream of ours answered, whose delays follow from the seed.
	Drawn bool `yaml:"drawn"`
	// Blocks that every cell was planned to have.
	Blocks int `yaml:"blocks"`
	// Against is the variant that reductions refer to; empty: there are none.
	Against string `yaml:"reductions_against"`
	Cells   []Cell `yaml:"cells"`
}

// Environment that the run had.
type Environment struct {
	Kind     string `yaml:"kind"`
	Database string `yaml:"database"`
	Upstream string `yaml:"upstream"`
	// SUT is where the program under test ran: process or container.
	SUT string `yaml:"sut"`
}

// Machine that the run was on.
type Machine struct {
	CPU    string `yaml:"cpu"`
	Cores  int    `yaml:"cores"`
	OS     string `yaml:"os"`
	Arch   string `yaml:"arch"`
	Kernel string `yaml:"kernel"`
	Go     string `yaml:"go"`
	// GOMAXPROCS is left out of files written before it was recorded; CPUQuota,
	// in cores, is left out where there was none.
	GOMAXPROCS int     `yaml:"gomaxprocs,omitempty"`
	CPUQuota   float64 `yaml:"cpu_quota,omitempty"`
}

// Cell is a variant at a level. Lists have a value for each of Blocks; a metric
// that is left out was unavailable.
type Cell struct {
	Variant string `yaml:"variant"`
	Level   string `yaml:"level"`
	// Blocks whose trials were measured.
	Blocks []int `yaml:"blocks"`
	// ItemsFailed of each; left out: none.
	ItemsFailed []int `yaml:"items_failed,omitempty"`

	Makespan    []float64 `yaml:"makespan_ms,omitempty"`
	Efficiency  []float64 `yaml:"efficiency,omitempty"`
	ItemP50     []float64 `yaml:"item_p50_ms,omitempty"`
	ItemP99     []float64 `yaml:"item_p99_ms,omitempty"`
	ResponseP50 []float64 `yaml:"response_p50_ms,omitempty"`
	ResponseP99 []float64 `yaml:"response_p99_ms,omitempty"`
	CPU         []float64 `yaml:"cpu_per_item_ms,omitempty"`
	Memory      []float64 `yaml:"memory_mib,omitempty"`
	Allocs      []float64 `yaml:"allocations_per_item,omitempty"`

	// Reduction follows from the makespans; it is there to be read.
	Reduction *Reduction `yaml:"reduction,omitempty"`

	// Peak descriptors of all trials, the bound Predicted for them, and the most
	// that a trial Left open.
	Peak      *int `yaml:"peak_descriptors,omitempty"`
	Predicted *int `yaml:"predicted_descriptors,omitempty"`
	Leaked    *int `yaml:"leaked_descriptors,omitempty"`
	// Unfinished trials crashed, hung or timed out.
	Unfinished int     `yaml:"unfinished_trials"`
	Errors     []Error `yaml:"errors"`
	Writes     *Writes `yaml:"writes,omitempty"` // left out: not checked
}

// Reduction is 1 - makespan/makespan of the variant that it is against, with
// its 95 % interval where there are enough pairs.
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

// Writes is what the checks of the database found in all trials of a cell.
type Writes struct {
	// Checked trials; Read: the content was compared too.
	Checked   int  `yaml:"checked_trials"`
	Read      bool `yaml:"read"`
	Lost      int  `yaml:"lost"`
	Duplicate int  `yaml:"duplicate"`
	Corrupt   int  `yaml:"corrupt"` // or never asked for
}
