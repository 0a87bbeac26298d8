package experiment_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline/recorder"
)

// onThree runs an HTTP service on three hosts, which divide a limit of 10 and note what they
// get in the file.
func onThree(notes string) func(*scenarios.Scenario) {
	return func(s *scenarios.Scenario) {
		s.SUT.Hosts = 3
		s.SUT.Env["TEST_SERVICE_NOTES"] = notes
		v := &s.Variants[0]
		v.Limit, v.LimitScope = 10, scenarios.LimitScopeFleet
		delete(v.Vars, "limit")
	}
}

// notesOf returns the values that were noted, by what they are.
func notesOf(t *testing.T, path string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		at := strings.LastIndexByte(line, ' ')
		found[line[:at]] = append(found[line[:at]], line[at+1:])
	}
	return found
}

// checkShares checks that each host has its part of the load, and that the histograms of the
// trial are those of its hosts together, to the bit.
func checkShares(t *testing.T, record results.Trial, hosts int) {
	t.Helper()
	s := record.Service
	if len(record.Hosts) != hosts {
		t.Fatalf("%d hosts are recorded, want %d", len(record.Hosts), hosts)
	}
	for i, h := range record.Hosts {
		want := scenarios.Share(s.Due, i, hosts)
		if g := h.Service; g == nil || g.Due != want || g.Ended != want || g.OK != want || g.Dropped != 0 || g.Errors != nil || g.Peak < 1 || !g.Recovered {
			t.Errorf("host %d: %+v, want %d requests", i, g, want)
		}
	}
	for name, of := range map[string]func(*results.HostService) results.Histogram{
		"response":     func(h *results.HostService) results.Histogram { return h.Response },
		"accepted":     func(h *results.HostService) results.Histogram { return h.Accepted },
		"service time": func(h *results.HostService) results.Histogram { return h.ServiceTime },
	} {
		sum := hdrhistogram.New(recorder.Lowest, recorder.Highest, recorder.SignificantFigures)
		for _, h := range record.Hosts {
			one, err := of(h.Service).HDR()
			if err != nil {
				t.Fatal(err)
			}
			if dropped := sum.Merge(one); dropped > 0 {
				t.Errorf("%d values of host %d are out of range", dropped, h.Index)
			}
		}
		merged, err := results.NewHistogram(sum)
		all := of(&results.HostService{Response: s.Response, Accepted: s.Accepted, ServiceTime: s.ServiceTime})
		if err != nil || merged != all {
			t.Errorf("%s: the hosts together have %+v, the trial %+v, %v", name, merged, all, err)
		}
	}
}

// histogramOf returns the histogram of the latencies of vegeta's results.
func histogramOf(t *testing.T, all []vegeta.Result) results.Histogram {
	t.Helper()
	h := hdrhistogram.New(recorder.Lowest, recorder.Highest, recorder.SignificantFigures)
	for _, r := range all {
		if err := h.RecordValue(int64(r.Latency)); err != nil {
			t.Fatal(err)
		}
	}
	packed, err := results.NewHistogram(h)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// Request k goes to host k mod 3, from one generator and from three. Each host sees exactly
// its share, and the histograms are those of the raw samples.
func TestServiceOnHosts(t *testing.T) {
	for _, generators := range []int{1, 3} {
		t.Run(strconv.Itoa(generators), func(t *testing.T) {
			notes := filepath.Join(t.TempDir(), "notes")
			r := trials(t)
			var raw []vegeta.Result
			r.SaveVegeta = func(result *vegeta.Result) error { raw = append(raw, *result); return nil }
			record := httpTrialOn(t, r, "sound", "/healthz", func(s *scenarios.Scenario) {
				onThree(notes)(s)
				s.Service.Generators = generators
				s.SUT.Warmup.Items = 2
			})
			if record.Outcome != results.OutcomeOK || len(record.Warnings) > 0 {
				t.Fatalf("outcome %s: %s, warnings %q", record.Outcome, record.Reason, record.Warnings)
			}
			if s := record.Service; s.Due != 30 || s.OK != 30 || !s.Recovered || s.Drain == nil {
				t.Errorf("%d due, %d done, recovered %v, drain %v", s.Due, s.OK, s.Recovered, s.Drain)
			}
			checkShares(t, record, 3)
			if w := record.Warmup; w == nil || w.Requests != 6 {
				t.Errorf("warm-up %+v", w)
			}
			if u := record.Upstream; u.Requests != 33 || u.Repeated != 0 { // one more to each to see that it recovers
				t.Errorf("the upstream saw %d requests, %d of them twice", u.Requests, u.Repeated)
			}
			addrs := checkSeen(t, notesOf(t, notes))
			if all := histogramOf(t, raw); len(raw) != 30 || all != record.Service.ServiceTime {
				t.Errorf("the histogram of %d raw samples is %+v, the trial's %+v", len(raw), all, record.Service.ServiceTime)
			}
			for i, h := range record.Hosts {
				part := slices.DeleteFunc(slices.Clone(raw), func(r vegeta.Result) bool {
					u, err := url.Parse(r.URL)
					return err != nil || u.Host != addrs[i]
				})
				if got := histogramOf(t, part); got != h.Service.ServiceTime {
					t.Errorf("host %d: the histogram of %d raw samples is %+v, the host's %+v", i, len(part), got, h.Service.ServiceTime)
				}
				if want := []int{4, 3, 3}[i]; h.Limit != want || h.Descriptors.Samples == 0 || h.Service.Drain == nil {
					t.Errorf("host %d has limit %d, want %d; descriptors %+v, drain %v", i, h.Limit, want, h.Descriptors, h.Service.Drain)
				}
			}
			checkWorst(t, record)
		})
	}
}

// checkSeen checks what three hosts have noted, and returns their addresses by index.
func checkSeen(t *testing.T, seen map[string][]string) []string {
	t.Helper()
	addrs := make([]string, 3)
	var load []int
	for what, values := range seen {
		addr, isRequest := strings.CutPrefix(what, "request ")
		if !isRequest {
			continue
		}
		var numbers []int
		for _, v := range values {
			n, err := strconv.Atoi(v)
			if err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, n)
		}
		host := numbers[0] % 3
		addrs[host] = addr
		if len(numbers) != 13 { // 10 of the load, 2 of the warm-up, 1 to see that it recovers
			t.Errorf("host %d got requests %v", host, numbers)
		}
		for _, n := range numbers {
			if n%3 != host {
				t.Errorf("host %d got request %d", host, n)
			}
			if n < 30 {
				load = append(load, n)
			}
		}
		if got, want := seen["limit "+addr], []string{strconv.Itoa([]int{4, 3, 3}[host])}; !slices.Equal(got, want) {
			t.Errorf("host %d was told the limit %v, want %v", host, got, want)
		}
	}
	slices.Sort(load)
	for i, n := range load {
		if i != n {
			t.Fatalf("the hosts got requests %v", load)
		}
	}
	if len(load) != 30 || slices.Contains(addrs, "") {
		t.Errorf("the hosts at %v got %d requests", addrs, len(load))
	}
	return addrs
}

// checkWorst checks that the trial has the descriptors and the time series of one host.
func checkWorst(t *testing.T, record results.Trial) {
	t.Helper()
	worst, sum := 0, 0
	for i, h := range record.Hosts {
		if sum += h.Descriptors.Peak; h.Descriptors.Peak > record.Hosts[worst].Descriptors.Peak {
			worst = i
		}
	}
	peak := record.Hosts[worst].Descriptors.Peak
	if record.Descriptors.Peak != peak || record.Fleet == nil || record.Fleet.PeakDescriptors < peak || record.Fleet.PeakDescriptors > sum {
		t.Errorf("descriptors %+v and fleet %+v of hosts with at most %d", record.Descriptors, record.Fleet, peak)
	}
	s := record.Service
	if done, _ := s.Series.Last(results.ColumnDone); s.SeriesHost != worst || int(done) != record.Hosts[worst].Service.OK {
		t.Errorf("the time series is that of host %d with %d requests done, want host %d with %d", s.SeriesHost, done, worst, record.Hosts[worst].Service.OK)
	}
}

// The built-in service on two hosts divides a limit, and each document is written once.
func TestReportsOnHosts(t *testing.T) {
	text := loadScenario("1ms", 1024, "{strategy: bounded, limit: 5, scope: shared, limit_scope: fleet}")
	s := scenario(t, strings.NewReplacer("duration: 1s", "generators: 3, duration: 300ms", "sut: {", "sut: {hosts: 2, ").Replace(text))
	r := trials(t)
	r.IgnoreLag()
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeOK {
		t.Fatalf("%s %s, %v", record.Outcome, record.Reason, err)
	}
	checkDealt(t, record.Service, 30)
	checkShares(t, record, 2)
	if d := record.Documents; d.Expected != 320 || d.Found != 320 || d.Violations() != 0 { // one report more on each host
		t.Errorf("documents %+v", *d)
	}
	if record.Upstream.PeakInFlight > 5 || record.Overrun != nil || record.Hosts[0].Limit != 3 || record.Hosts[1].Limit != 2 {
		t.Errorf("%d requests in flight, overrun %+v, limits %d and %d", record.Upstream.PeakInFlight, record.Overrun, record.Hosts[0].Limit, record.Hosts[1].Limit)
	}
	if l := record.Descriptors.Leaked; l == nil || *l != 0 || *record.ItemsDone != 320 || record.Stages["item"].Count != 320 {
		t.Errorf("%v descriptors leaked, %v items done, %d in the histogram", l, record.ItemsDone, record.Stages["item"].Count)
	}
}

// A host that dies ends the trial, which names it, and the others do not go on.
func TestServiceHostDies(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	record := httpTrial(t, "fourth", "/healthz", func(s *scenarios.Scenario) {
		onThree(notes)(s)
		s.Service.Duration = scenarios.Duration(1e12) // the death ends it
	})
	if want := "host 2 of 3: the service ended with exit status 7 under load"; record.Outcome != results.OutcomeCrashed || record.Reason != want || record.Service != nil || len(record.Hosts) != 3 || record.ExitCode != 7 {
		t.Errorf("%s: %s, exit code %d, %d hosts; want %s", record.Outcome, record.Reason, record.ExitCode, len(record.Hosts), want)
	}
	seen := notesOf(t, notes)
	if len(seen["pid"]) != 3 {
		t.Fatalf("processes %v were started", seen["pid"])
	}
	for what := range seen {
		if addr, found := strings.CutPrefix(what, "request "); found {
			if err := dial(addr); err == nil {
				t.Errorf("a host still serves at %s", addr)
			}
		}
	}
}

// Of hosts that are not ready, the first one is named.
func TestServiceHostIsNotReady(t *testing.T) {
	record := httpTrial(t, "exits", "/healthz", func(s *scenarios.Scenario) { s.SUT.Hosts = 2 })
	if record.Outcome != results.OutcomeCrashed || !record.NotReady || !strings.HasPrefix(record.Reason, "host ") || !strings.Contains(record.Reason, fmt.Sprintf(" of 2: the service ended with exit status %d before it was ready", 3)) {
		t.Errorf("%s: %s, not ready %v", record.Outcome, record.Reason, record.NotReady)
	}
}
