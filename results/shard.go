package results

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Shard names some of the hosts of a fleet: "shards 1 and 3 of 5".
type Shard struct {
	// Numbers count from 1 and ascend; Of is the number of hosts of the fleet, at least 2.
	Numbers []int `json:"numbers"`
	Of      int   `json:"of"`
}

// MergedRun describes a run that was merged into another record.
type MergedRun struct {
	// Shard is its number, from 1.
	Shard   int       `json:"shard"`
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	// Trials is the number of its trials, and Complete reports that these are all.
	Trials      int         `json:"trials"`
	Complete    bool        `json:"complete"`
	Environment Environment `json:"environment"`
	Fingerprint Fingerprint `json:"fingerprint"`
	Command     []string    `json:"command,omitempty"`
}

// Part holds the fields of the trial of a shard that are not in Host. They mean what
// they mean in Trial.
type Part struct {
	Started     time.Time      `json:"started"`
	Outcome     string         `json:"outcome"`
	Reason      string         `json:"reason,omitempty"`
	Warnings    []string       `json:"warnings,omitempty"`
	NotReady    bool           `json:"not_ready,omitempty"`
	Discarded   []Discarded    `json:"discarded,omitempty"`
	Ideal       time.Duration  `json:"ideal_ns,omitempty"`
	Documents   *Documents     `json:"documents,omitempty"`
	NoDocuments bool           `json:"no_documents,omitempty"`
	Upstream    *UpstreamStats `json:"upstream,omitempty"`
	Overrun     *Overrun       `json:"overrun,omitempty"`
	Machine     *Conditions    `json:"machine,omitempty"`
	StderrTail  string         `json:"stderr_tail,omitempty"`
}

// String returns "shard 2 of 5" or "shards 1, 2 and 4 of 5".
func (s Shard) String() string {
	return fmt.Sprintf("%s of %d", shardNumbers(s.Numbers), s.Of)
}

// shardNumbers returns "shard 2" or "shards 1, 2 and 4".
func shardNumbers(numbers []int) string {
	last := len(numbers) - 1
	if last == 0 {
		return fmt.Sprintf("shard %d", numbers[0])
	}
	words := make([]string, 0, len(numbers))
	for _, n := range numbers {
		words = append(words, fmt.Sprint(n))
	}
	return "shards " + strings.Join(words[:last], ", ") + " and " + words[last]
}

// Missing returns the other hosts of the fleet.
func (s Shard) Missing() Shard {
	missing := Shard{Of: s.Of}
	for n := 1; n <= s.Of; n++ {
		if !slices.Contains(s.Numbers, n) {
			missing.Numbers = append(missing.Numbers, n)
		}
	}
	return missing
}

func (s *Shard) validate() error {
	valid := s.Of >= 2 && len(s.Numbers) > 0 && len(s.Numbers) < s.Of
	last := 0
	for _, n := range s.Numbers {
		valid = valid && n > last && n <= s.Of
		last = n
	}
	if !valid {
		return fmt.Errorf("shard: want some of the numbers from 1 to of, ascending, and of at least 2 (got %v of %d)", s.Numbers, s.Of)
	}
	return nil
}

// validateShards checks the shards of a record and of those that it was merged from.
func (h *Header) validateShards() error {
	var numbers []int
	for _, m := range h.Merged {
		numbers = append(numbers, m.Shard)
	}
	switch {
	case h.Shard != nil:
		if err := h.Shard.validate(); err != nil {
			return err
		}
		if len(h.Shard.Numbers) > 1 && h.Merged == nil || h.Merged != nil && !slices.Equal(numbers, h.Shard.Numbers) {
			return fmt.Errorf("merged: want the runs of %v (got %v)", h.Shard, numbers)
		}
	case h.Merged != nil:
		for i, n := range numbers {
			if n != i+1 {
				return fmt.Errorf("merged: want the runs of all shards, ascending from 1 (got %v)", numbers)
			}
		}
	}
	return nil
}

// Whole returns an error if the record holds only some hosts of a fleet, and so does not
// show what the fleet would have done.
func (h *Header) Whole() error {
	if h.Shard == nil {
		return nil
	}
	return fmt.Errorf("it is %v; merge all shards first (floodgate merge)", h.Shard)
}

// Apart reports that the hosts of the trial did not start together; see [Fleet]. The
// makespan of the fleet is unknown then: Makespan is the time of its slowest host, from
// its own first start to its own last end. Latencies and counts are exact.
func (t *Trial) Apart() bool { return t.Fleet != nil && t.Fleet.Apart }

// WhyApart is the reason why a trial with [Trial.Apart] has no makespan.
const WhyApart = "the shards did not start together"
