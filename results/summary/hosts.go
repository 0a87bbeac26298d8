package summary

import (
	"fmt"
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
	// Service holds the hosts of a service, by index; nil means that items were processed
	// once, or that no trial was measured. ResponseP99 is that of the requests to all hosts.
	Service     []ServiceHost  `json:"service,omitempty"`
	ResponseP99 *time.Duration `json:"response_p99_ns,omitempty"`
}

// ServiceHost summarizes one of several hosts of a service over the measured trials of a
// row, as ServiceRow does all of them together.
type ServiceHost struct {
	Due    int            `json:"due"`
	Done   int            `json:"done"`
	Errors map[string]int `json:"errors,omitempty"`
	// InFlight is the highest number of its requests that were in flight at once.
	InFlight    int            `json:"peak_in_flight"`
	ResponseP50 *time.Duration `json:"response_p50_ns,omitempty"`
	ResponseP99 *time.Duration `json:"response_p99_ns,omitempty"`
	ServiceP99  *time.Duration `json:"service_p99_ns,omitempty"`
	// Stalled counts the trials in which it stopped completing requests, and Recovered those
	// in which it completed one after the load.
	Stalled   int `json:"stalled,omitempty"`
	Recovered int `json:"recovered"`
	// Peak is the peak of its descriptors; nil means unknown.
	Peak *int `json:"peak_descriptors,omitempty"`
}

// ErrorCount returns the number of failed requests of all types.
func (h ServiceHost) ErrorCount() (n int) {
	for _, c := range h.Errors {
		n += c
	}
	return n
}

// SlowestService returns the index of the host whose requests took longest by their 99th
// percentile, of equal ones the first; false means that no host has ended requests.
func (r *HostsRow) SlowestService() (host int, ok bool) {
	for i, h := range r.Service {
		if h.ResponseP99 != nil && (!ok || *h.ResponseP99 > *r.Service[host].ResponseP99) {
			host, ok = i, true
		}
	}
	return host, ok
}

// serviceHosts sums up the hosts of a service. The zero value is empty.
type serviceHosts struct {
	all       []ServiceHost
	responses []Merger
	services  []Merger
	together  Merger
}

// add adds the hosts of a trial, which was measured.
func (s *serviceHosts) add(t *results.Trial) error {
	if t.Service == nil {
		return nil
	}
	if err := s.together.Add(t.Service.Response); err != nil {
		return err
	}
	for i, h := range t.Hosts {
		if h.Service == nil {
			continue
		}
		for i >= len(s.all) {
			s.all, s.responses, s.services = append(s.all, ServiceHost{}), append(s.responses, Merger{}), append(s.services, Merger{})
		}
		to := &s.all[i]
		to.Due, to.Done, to.InFlight = to.Due+h.Service.Due, to.Done+h.Service.OK, max(to.InFlight, h.Service.Peak)
		for name, n := range h.Service.Errors {
			to.Errors = increased(to.Errors, name, n)
		}
		if h.Service.Stalled != nil {
			to.Stalled++
		}
		if h.Service.Recovered {
			to.Recovered++
		}
		if peak, ok := h.Descriptors.Highest(); ok && (to.Peak == nil || peak > *to.Peak) {
			to.Peak = &peak
		}
		if err := s.responses[i].Add(h.Service.Response); err != nil {
			return err
		}
		if err := s.services[i].Add(h.Service.ServiceTime); err != nil {
			return err
		}
	}
	return nil
}

// rows returns the hosts by index.
func (s *serviceHosts) rows() []ServiceHost {
	for i := range s.all {
		h := &s.all[i]
		h.ResponseP50, h.ResponseP99, h.ServiceP99 = s.responses[i].quantile(50), s.responses[i].quantile(99), s.services[i].quantile(99)
	}
	return s.all
}

// hosts summarizes the hosts of a variant at a level; nil means that there is one.
func (x *Index) hosts(variant string, l scenarios.Level) (*HostsRow, error) {
	row := &HostsRow{Variant: variant, Level: l.Name, Hosts: l.Scenario.SUT.HostCount()}
	if shard := x.Run.Header.Shard; shard != nil {
		row.Hosts = len(shard.Numbers)
	}
	if row.Hosts == 1 {
		return nil, nil
	}
	if l.Scenario.Service != nil {
		return row, x.serviceHosts(row)
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
	return row, nil
}

// serviceHosts completes the row of a service.
func (x *Index) serviceHosts(row *HostsRow) error {
	var sum serviceHosts
	for _, t := range x.Trials(row.Variant, row.Level) {
		row.peaks(t)
		if !(ServiceTrial{Trial: t}).Measured() {
			continue
		}
		if err := sum.add(t); err != nil {
			return fmt.Errorf("trial %d: hosts: %w", t.Index, err)
		}
	}
	row.Service, row.ResponseP99 = sum.rows(), sum.together.quantile(99)
	return nil
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
