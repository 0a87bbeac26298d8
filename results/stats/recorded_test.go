package stats_test

import (
	"encoding/json"
	"os"
	"testing"

	"floodgate/results/stats"
)

// recording is the content of testdata/noise.json: the log-ratios of the makespans of one
// variant run twice in every block, in the order of the blocks.
type recording struct {
	Pairs map[string][]float64 `json:"pairs"`
}

// waiting is the level whose makespan is mostly waiting, as that of a gate should be; the
// pairs at the other level differ by a third and more.
const waiting = "items=100 upstream.latency.median=50ms"

func recorded(t *testing.T) map[string][]float64 {
	t.Helper()
	text, err := os.ReadFile("testdata/noise.json")
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Pairs) != 2 {
		t.Fatalf("%d recordings", len(r.Pairs))
	}
	return r.Pairs
}

// On recorded noise, with its dependence over time preserved, the design has no more
// false alarms than its alpha allows, with the default margin and without a margin.
func TestDesignOnRecordedNoise(t *testing.T) {
	const block, runs = 10, 500
	for name, d := range recorded(t) {
		noise, err := stats.RecordedNoise(d, block)
		if err != nil {
			t.Fatal(err)
		}
		l := stats.DefaultDesign()
		same, err := l.Detection(noise, 1, runs, 1)
		if err != nil {
			t.Fatal(err)
		}
		l.Margin = 0
		sharp, err := l.Detection(noise, 1, runs, 3)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: no change: %.3f worse, %.3f not worse; without a margin %.3f worse", name, same.Worse.Estimate, same.NotWorse.Estimate, sharp.Worse.Estimate)
		if same.Worse.Estimate > 0.02 || sharp.Worse.Low > 0.025 {
			t.Errorf("%s: false alarms %+v, without a margin %+v", name, same.Worse, sharp.Worse)
		}
		if name != waiting {
			continue
		}
		tenth, err := stats.DefaultDesign().Detection(noise, 1.1, runs, 2)
		if err != nil || same.NotWorse.Estimate < 0.95 || tenth.Worse.Estimate < 0.95 {
			t.Errorf("%s: no change passes in %+v, +10 %% is found in %+v, %v", name, same.NotWorse, tenth.Worse, err)
		}
	}
}
