package summary

import (
	"time"

	"floodgate/results"
	"floodgate/scenarios"
)

// HostsRow summarizes the hosts of the trials of one variant at one level. A nil field is
// unavailable.
type HostsRow struct {
	Variant string `json:"variant"`
	Level   string `json:"level"`
	Hosts   int    `json:"hosts"`
	// Makespan is that of all hosts, from the first start to the last end; Slowest and
	// Fastest are the times of the hosts that worked longest and shortest. All are medians
	// of the measured trials.
	Makespan *time.Duration `json:"makespan_ns,omitempty"`
	Slowest  *time.Duration `json:"slowest_ns,omitempty"`
	Fastest  *time.Duration `json:"fastest_ns,omitempty"`
	// Skew is the longest time between the first and the last start of a measured trial,
	// and Uncertainty the largest error of such a time.
	Skew        *time.Duration `json:"skew_ns,omitempty"`
	Uncertainty *time.Duration `json:"uncertainty_ns,omitempty"`
	// FleetPeak is the highest number of descriptors that all hosts had open at one time,
	// in all trials. Peak is the highest of one host, which is Worst, from 0.
	FleetPeak *int `json:"fleet_peak_descriptors,omitempty"`
	Peak      *int `json:"peak_descriptors,omitempty"`
	Worst     int  `json:"worst_host"`
	// FleetRSS is the highest resident memory of all hosts at one time, in bytes.
	FleetRSS *int64 `json:"fleet_peak_rss_bytes,omitempty"`
}

// hosts summarizes the hosts of a variant at a level; nil means that there is one.
func (x *Index) hosts(variant string, l scenarios.Level) *HostsRow {
	row := &HostsRow{Variant: variant, Level: l.Name, Hosts: l.Scenario.SUT.HostCount()}
	if shard := x.Run.Header.Shard; shard != nil {
		row.Hosts = len(shard.Numbers)
	}
	if row.Hosts == 1 {
		return nil
	}
	var makespans, slowest, fastest []float64
	for _, t := range x.Trials(variant, l.Name) {
		row.peaks(t)
		if t.Outcome != results.OutcomeOK {
			continue
		}
		long, short := workingTimes(t.Hosts)
		slowest, fastest = append(slowest, float64(long)), append(fastest, float64(short))
		if t.Apart() {
			continue
		}
		makespans = append(makespans, float64(t.Makespan))
		if f := t.Fleet; f != nil {
			row.Skew, row.Uncertainty = longer(row.Skew, f.Skew), longer(row.Uncertainty, f.Uncertainty)
		}
	}
	row.Makespan, row.Slowest, row.Fastest = median[time.Duration](makespans), median[time.Duration](slowest), median[time.Duration](fastest)
	return row
}

// peaks raises the peaks to those of a trial.
func (r *HostsRow) peaks(t *results.Trial) {
	if f := t.Fleet; f != nil && f.PeakDescriptors > 0 && (r.FleetPeak == nil || f.PeakDescriptors > *r.FleetPeak) {
		r.FleetPeak = new(f.PeakDescriptors)
	}
	if f := t.Fleet; f != nil && f.PeakRSS > 0 && (r.FleetRSS == nil || f.PeakRSS > *r.FleetRSS) {
		r.FleetRSS = new(f.PeakRSS)
	}
	for _, h := range t.Hosts {
		if peak, ok := h.Descriptors.Highest(); ok && (r.Peak == nil || peak > *r.Peak) {
			r.Peak, r.Worst = &peak, h.Index
		}
	}
}

// workingTimes returns the longest and the shortest time of a host with items.
func workingTimes(hosts []results.Host) (longest, shortest time.Duration) {
	first := true
	for _, h := range hosts {
		if h.Items == 0 {
			continue
		}
		took := h.End - h.Start
		if first {
			longest, shortest = took, took
		}
		longest, shortest, first = max(longest, took), min(shortest, took), false
	}
	return longest, shortest
}

func longer(a *time.Duration, b time.Duration) *time.Duration {
	if a == nil || b > *a {
		return &b
	}
	return a
}
