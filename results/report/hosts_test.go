package report_test

import (
	"bytes"
	"fmt"
	"testing"

	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
)

func TestHostsGolden(t *testing.T) {
	run := runtest.Fleet()
	v := reporttest.Judge(t, run)
	for _, width := range []int{80, 120} {
		var out bytes.Buffer
		if err := report.Terminal(&out, run, v, text.Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, fmt.Sprintf("fleet.%d.txt", width), out.Bytes())
	}
}
