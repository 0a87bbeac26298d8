package ci_test

import (
	"testing"

	"floodgate/results/internal/runtest"
	"floodgate/results/report/ci"
	"floodgate/results/report/internal/reporttest"
)

// TestHostsGolden has the hosts of items and those of a service below the other tables.
func TestHostsGolden(t *testing.T) {
	fleet, service := runtest.Fleet(), runtest.ServiceFleet()
	reporttest.Golden(t, "fleet.md", ci.Markdown(ci.Judged{Run: fleet, Verdict: reporttest.Judge(t, fleet)}, 0))
	reporttest.Golden(t, "service-fleet.md", ci.Markdown(ci.Judged{Run: service, Verdict: reporttest.Judge(t, service)}, 0))
}
