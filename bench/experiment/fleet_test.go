package experiment_test

import (
	"context"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/scenarios"
)

const fleetText = `
version: 1
name: fleet
title: Several hosts
seed: 5
items: {kind: phone-numbers, duplicates: 0.2}
upstream: {late_bound: 10s, latency: {distribution: constant, value: 5ms}}
sut: {nofile: 256}
variants:
  - {strategy: bounded, limit: 3}
  - {name: divided, strategy: bounded, limit: 10, limit_scope: fleet}
  - {strategy: sequential}
levels: [{items: 23, sut.hosts: [1, 2, 4]}, {items: 2, sut.hosts: 4}, {items: 12, items.batches: 3, sut.hosts: 2}]
blocks: 6
`

// TestFleetOnRealServers runs one block: nothing is lost, every item is fetched by one host,
// and the hosts keep to their limits.
func TestFleetOnRealServers(t *testing.T) {
	s := scenario(t, fleetText)
	r := trials(t)
	r.IgnoreSkew()
	for _, p := range plan(t, s)[:15] {
		record, err := r.Run(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		name := record.Variant + " " + record.LevelName
		if record.Outcome != results.OutcomeOK || len(record.Warnings) > 0 || len(record.Errors) > 0 || record.Overrun != nil {
			t.Errorf("%s: %s %s %v %+v %v", name, record.Outcome, record.Reason, record.Warnings, record.Errors, record.Overrun)
			continue
		}
		hosts := p.Level.Scenario.SUT.HostCount()
		if d := record.Documents; d.Found != record.Items || d.Expected != d.Found || d.Violations() != 0 {
			t.Errorf("%s: documents %+v of %d items", name, *d, record.Items)
		}
		if u := record.Upstream; p.Level.Scenario.Items.Batches <= 1 && (u.Repeated != 0 || u.Requests != record.Items) {
			t.Errorf("%s: %d requests for %d items, %d repeated", name, u.Requests, record.Items, u.Repeated)
		}
		if peak, limit := record.Upstream.PeakInFlight, p.Level.Scenario.DeclaredLimit(p.Variant); peak > limit {
			t.Errorf("%s: %d requests in flight, the limit of %d hosts is %d", name, peak, hosts, limit)
		}
		if n := record.Stages["item"].Count; *record.ItemsDone < record.Items || int(n) != *record.ItemsDone {
			t.Errorf("%s: %d of %d items done, %d in the histogram", name, *record.ItemsDone, record.Items, n)
		}
		if l := record.Descriptors.Leaked; l == nil || *l != 0 {
			t.Errorf("%s: left open: %v", name, l)
		}
		if hosts == 1 {
			if record.Hosts != nil || record.Fleet != nil {
				t.Errorf("%s: one host is recorded as %+v and %+v", name, record.Hosts, record.Fleet)
			}
			continue
		}
		checkHosts(t, name, p.Variant, record, hosts)
	}
}

func checkHosts(t *testing.T, name string, v scenarios.Variant, record results.Trial, hosts int) {
	t.Helper()
	if len(record.Hosts) != hosts || record.Fleet == nil {
		t.Fatalf("%s: %d hosts are recorded, and fleet %+v", name, len(record.Hosts), record.Fleet)
	}
	items, peaks := 0, 0
	for i, h := range record.Hosts {
		items += h.Items
		peaks += h.Descriptors.Peak
		if want, _ := v.OnHost(i, hosts).Schedule().AtOnce(); h.Limit != want {
			t.Errorf("%s: host %d has limit %d, want %d", name, i, h.Limit, want)
		}
		if h.Items > 0 && (h.End <= h.Start || h.MakespanSource != "sut" || h.Uncertainty <= 0) || h.Items == 0 && h.End != 0 || h.End > record.Makespan {
			t.Errorf("%s: host %d with %d items worked from %v to %v (%s, ± %v) of %v", name, i, h.Items, h.Start, h.End, h.MakespanSource, h.Uncertainty, record.Makespan)
		}
		if int(h.Stages["item"].Count) < h.Items || h.ExitCode != 0 {
			t.Errorf("%s: host %d has %d values for %d items, exit code %d", name, i, h.Stages["item"].Count, h.Items, h.ExitCode)
		}
	}
	if items != record.Items {
		t.Errorf("%s: the hosts have %d items, the trial %d", name, items, record.Items)
	}
	if peak := record.Fleet.PeakDescriptors; peak < record.Descriptors.Peak || peak > peaks {
		t.Errorf("%s: the fleet's peak is %d, that of one host %d, their sum %d", name, peak, record.Descriptors.Peak, peaks)
	}
}

// TestHostsThatCannotBeStarted fails the trial, with the host and the reason.
func TestHostsThatCannotBeStarted(t *testing.T) {
	s := scenario(t, `
version: 1
name: contained
title: Hosts in containers, without an engine
items: {kind: phone-numbers, count: 3}
sut: {hosts: 2, container: true}
variants: [{strategy: sequential}]
levels: [{items: 3}]
blocks: 6
`)
	record, err := trials(t).Run(context.Background(), plan(t, s)[0])
	if err != nil {
		t.Fatal(err)
	}
	if record.Outcome != results.OutcomeFailed || !strings.HasSuffix(record.Reason, " of 2: sut.container: no container engine was found") || len(record.Warnings) > 0 {
		t.Errorf("%s: %s, warnings %q", record.Outcome, record.Reason, record.Warnings)
	}
}
