package learn

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"floodgate/mockupstream"
)

// Origin is where and when a recording was made.
type Origin struct {
	// Target is the scheme, the host and the port of the upstream, and nothing else.
	Target string `json:"target"`
	// Began is when the recording began.
	Began time.Time `json:"began"`
	// Requests is the number of exchanges in Seconds.
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"`
	// MeanInFlight and PeakInFlight are the mean and the largest number of requests in
	// flight.
	MeanInFlight float64 `json:"mean_in_flight"`
	PeakInFlight int     `json:"peak_in_flight"`
}

// OriginOf describes a recording of the target that began at a time.
func OriginOf(r Recording, target string, began time.Time) Origin {
	o := Origin{Target: target, Began: began.UTC().Truncate(time.Second), Requests: len(r.Exchanges), Seconds: r.Duration().Seconds()}
	o.MeanInFlight, o.PeakInFlight = r.InFlight()
	return o
}

// YAML returns the profile as a file for [mockupstream.LoadProfile], with a comment about
// its origin. It checks that [mockupstream.ParseProfile] returns the same profile.
func (f *Fitted) YAML(o Origin) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Learned by floodgate upstream --record from %s on %s.\n", o.Target, o.Began.Format(time.RFC3339))
	fmt.Fprintf(&b, "# %d requests in %.1f s, %.1f in flight on average and %d at most.\n", o.Requests, o.Seconds, o.MeanInFlight, o.PeakInFlight)
	fmt.Fprintf(&b, "# Latency is the time from sending a request to the first byte of its answer.\n")
	for _, note := range f.Explain() {
		fmt.Fprintf(&b, "# %s.\n", strings.ToUpper(note[:1])+note[1:])
	}
	p := &f.Profile
	for _, section := range []struct {
		key   string
		value any
	}{{"latency", p.Latency}, {"body", p.Body}, {"faults", p.Faults}, {"capacity", p.Capacity}, {"rate", p.Rate}} {
		if reflect.ValueOf(section.value).IsZero() {
			continue
		}
		text, err := yaml.MarshalWithOptions(section.value, yaml.Flow(true))
		if err != nil {
			return nil, fmt.Errorf("write the profile's %s: %w", section.key, err)
		}
		fmt.Fprintf(&b, "%s: %s\n", section.key, bytes.TrimSpace(text))
	}
	switch back, err := mockupstream.ParseProfile("the learned profile", b.Bytes()); {
	case err != nil:
		return nil, err
	case !reflect.DeepEqual(back, *p):
		return nil, errors.New("the learned profile changes when it is written and read")
	}
	return b.Bytes(), nil
}

// Explain returns statements about the profile: its capacity, or the reason why
// it has none, and the notes.
func (f *Fitted) Explain() []string {
	explained := []string{f.NoQueue}
	if q := f.Queue; q != nil {
		interval := fmt.Sprintf("plausible are %d to %d", q.Low, q.High)
		if q.Low == q.High {
			interval = "no other number is plausible"
		}
		explained[0] = fmt.Sprintf("latency rises with the requests in flight (rank correlation %.2f) as if %d workers served them (%s), for which requests wait %.0f %% of their time",
			q.Correlation, q.Workers, interval, 100*q.Waiting)
	}
	return append(explained, f.Notes...)
}
