package pairs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"floodgate/results"
	"floodgate/results/stats"
)

// SelfTestLoad is the load of the machine during a self-test.
type SelfTestLoad struct {
	// Average is the load average of the minute before the first trial.
	Average float64 `json:"average"`
	// Others is the share of the time of all cores that other programs used, and
	// Stolen that of other virtual machines on the host, in the median of the trials.
	Others float64 `json:"others"`
	Stolen float64 `json:"stolen"`
}

// setLoad sets the load from the trials of a self-test.
func (s *SelfTestOutcome) setLoad(trials []results.Conditions) {
	s.Load = nil
	var others, stolen []float64
	for _, c := range trials {
		if c.Load != nil && s.Load == nil {
			s.Load = &SelfTestLoad{Average: *c.Load}
		}
		if c.Others != nil && c.Stolen != nil {
			others, stolen = append(others, *c.Others), append(stolen, *c.Stolen)
		}
	}
	if s.Load != nil && len(others) > 0 {
		s.Load.Others, s.Load.Stolen = stats.Median(others), stats.Median(stolen)
	}
}

// setSpread sets the spread of the metrics of unchanged trials. It leaves out metrics with
// too few pairs, or with values that are not positive.
func (s *SelfTestOutcome) setSpread(unchanged map[string][]Pair) {
	s.TrialSpread = nil
	for metric, all := range unchanged {
		sd, ok := noise(all)
		if !ok {
			continue
		}
		if s.TrialSpread == nil {
			s.TrialSpread = map[string]float64{}
		}
		s.TrialSpread[metric] = math.Round(sd*1e6) / 1e6
	}
}

// SelfTestSeries is a series of self-tests, such as one of each night.
type SelfTestSeries struct {
	Tests []SelfTestOutcome `json:"tests"`
	// Pooled has a row for each treatment that sums up the gates of all tests, with the
	// exact interval of the rate. It supposes that a gate is as likely to be worse in
	// each test, so tests of machines that differ widely should not share a series.
	Pooled []SelfTest `json:"pooled"`
}

// AppendLine returns the test as a line of a series, without the folder of its records.
func (s *SelfTestOutcome) AppendLine(to []byte) ([]byte, error) {
	line := *s
	line.Records = ""
	text, err := json.Marshal(line)
	if err != nil {
		return nil, fmt.Errorf("self-test %s: %w", s.ID, err)
	}
	return append(append(to, text...), '\n'), nil
}

// maxSeriesLine bounds a line of a series, in bytes.
const maxSeriesLine = 1 << 20

// ReadSelfTests reads a series, one self-test on each line. Name is that of the file in
// errors, which name the line.
func ReadSelfTests(name string, r io.Reader) (*SelfTestSeries, error) {
	series := &SelfTestSeries{Tests: []SelfTestOutcome{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxSeriesLine)
	number := 0
	for lines.Scan() {
		number++
		var s SelfTestOutcome
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&s); err != nil {
			return nil, fmt.Errorf("%s:%d: %w (want a line that gate selftest --append wrote)", name, number, err)
		}
		if err := s.check(dec); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		series.Tests = append(series.Tests, s)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, number+1, err)
	}
	return series, series.pool()
}

// check returns an error unless the line holds one self-test with consistent counts.
func (s *SelfTestOutcome) check(line *json.Decoder) error {
	if rest, _ := io.ReadAll(line.Buffered()); strings.TrimSpace(string(rest)) != "" {
		return fmt.Errorf("text after the self-test: %.20q", rest)
	}
	if s.ID == "" || s.Started.IsZero() {
		return fmt.Errorf("id and started must be set")
	}
	for _, r := range s.Rows {
		if min(r.Worse, r.NotWorse, r.Undecided, r.Pairs) < 0 || r.Worse > r.Gates || r.NotWorse > r.Gates-r.Worse || r.Undecided != r.Gates-r.Worse-r.NotWorse {
			return fmt.Errorf("%s: the decisions of %d gates are %d worse, %d not worse and %d undecided", r.Treatment, r.Gates, r.Worse, r.NotWorse, r.Undecided)
		}
	}
	return nil
}

// Row returns the result of a treatment; nil means that the test lacks it.
func (s *SelfTestOutcome) Row(treatment string) *SelfTest {
	for i := range s.Rows {
		if s.Rows[i].Treatment == treatment {
			return &s.Rows[i]
		}
	}
	return nil
}

// pool sets the pooled rows.
func (s *SelfTestSeries) pool() error {
	for _, treatment := range Treatments() {
		sum := SelfTest{Treatment: treatment}
		for i := range s.Tests {
			if r := s.Tests[i].Row(treatment); r != nil {
				sum.Pairs, sum.Gates = sum.Pairs+r.Pairs, sum.Gates+r.Gates
				sum.Worse, sum.NotWorse, sum.Undecided = sum.Worse+r.Worse, sum.NotWorse+r.NotWorse, sum.Undecided+r.Undecided
			}
		}
		if sum.Gates > maxPooled || sum.Gates < 0 {
			return fmt.Errorf("%s: %d gates in a series (want at most %d)", treatment, sum.Gates, maxPooled)
		}
		if sum.Gates > 0 {
			rate, err := stats.Binomial(sum.Worse, sum.Gates, 0.95)
			if err != nil {
				return err
			}
			sum.Rate = &rate
		}
		s.Pooled = append(s.Pooled, sum)
	}
	return nil
}

// maxPooled bounds the gates of a series, whose exact interval takes time in proportion.
const maxPooled = 1_000_000
