package content_test

import (
	"slices"
	"testing"
	"time"

	"floodgate/results/report/content"
	"floodgate/results/summary"
)

// A row whose load came from several generators tells how late each was.
func TestRemarkOnGenerators(t *testing.T) {
	row := summary.ServiceRow{Unit: "request", Generators: []summary.GeneratorRow{
		{Ended: 10, LagP99: new(300 * time.Microsecond)}, {Ended: 10, LagP99: new(1200 * time.Microsecond)}, {},
	}}
	want := "requests sent by 3 load generators; 99 % of those of each were late by at most 300 µs, 1.20 ms, —"
	if got := content.ServiceRemarks(row); !slices.Equal(got, []string{want}) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := content.ServiceRemarks(summary.ServiceRow{Unit: "request"}); len(got) > 0 {
		t.Errorf("%q of one generator", got)
	}
}
