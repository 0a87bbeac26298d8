package runtest

import (
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Service returns a run of a service under load with two variants: one that uses
// descriptors only while reports are in flight, and one that leaks some with
// every report until it runs out. A nil change changes nothing.
func Service(claims []scenarios.Claim, change func(t *results.Trial) bool) *results.Run {
	sc := scenario(Options{
		Blocks: 6, Levels: []scenarios.LevelSet{{"service.arrivals.rate": []any{4, 8}}}, Claims: claims,
		Variants: []scenarios.Variant{{Name: "shared-10", Strategy: pipeline.KindBounded, Limit: 10, Scope: "shared"}, {Name: "forgotten", Strategy: pipeline.KindBounded, Limit: 10}},
	})
	sc.Name, sc.Title, sc.SUT.NoFile = "service", "Reports under load", 256
	sc.Service = &scenarios.Service{ReportItems: 30, Duration: scenarios.Duration(10 * time.Second), Arrivals: scenarios.Arrivals{Pattern: "constant", Rate: 4}}
	return served(sc, change)
}

// HTTPService returns a run of an HTTP service of the user's own under load, of which
// the second variant leaks descriptors. A nil change changes nothing.
func HTTPService(claims []scenarios.Claim, change func(t *results.Trial) bool) *results.Run {
	return httpService(1, claims, change)
}

// ServiceFleet returns the run of HTTPService on three hosts, of which the last one is slow
// and has most descriptors, and all failed requests.
func ServiceFleet() *results.Run {
	return httpService(3, nil, func(t *results.Trial) bool {
		dealOut(t, 3)
		return true
	})
}

// dealOut divides the trial of a service among its hosts.
func dealOut(t *results.Trial, hosts int) {
	s := t.Service
	s.SeriesHost = hosts - 1
	t.Fleet = &results.Fleet{PeakRSS: int64(hosts) * 31 << 20}
	together := hdrhistogram.New(1000, int64(time.Hour), 3)
	for i := range hosts {
		part := &results.HostService{Ended: scenarios.Share(s.Ended, i, hosts), Peak: 3 + i, Recovered: s.Recovered}
		part.Due, part.OK = part.Ended, part.Ended
		if i == hosts-1 {
			part.OK, part.Errors = part.Ended-(s.Ended-s.OK), s.Errors
		}
		h := hdrhistogram.New(1000, int64(time.Hour), 3)
		for n := range part.Ended {
			_ = h.RecordValue(int64(i+1) * int64(n+1) * 1e6)
		}
		together.Merge(h)
		part.Response, _ = results.NewHistogram(h)
		part.Accepted, part.ServiceTime = part.Response, part.Response
		host := results.Host{Index: i, Limit: t.Descriptors.Limit, Descriptors: t.Descriptors, Resources: t.Resources, Service: part}
		host.Descriptors.Peak += i - hosts + 1
		t.Fleet.PeakDescriptors += host.Descriptors.Peak - 1
		t.Hosts = append(t.Hosts, host)
	}
	s.Response, _ = results.NewHistogram(together)
	s.Accepted, s.ServiceTime = s.Response, s.Response
}

func httpService(hosts int, claims []scenarios.Claim, change func(t *results.Trial) bool) *results.Run {
	sc := scenario(Options{
		Blocks: 6, Levels: []scenarios.LevelSet{{"service.arrivals.rate": 8}}, Claims: claims,
		Variants: []scenarios.Variant{{Name: "limit-10", Vars: scenarios.Values{"limit": 10}}, {Name: "leaky", Vars: scenarios.Values{"limit": 20}}},
	})
	sc.Name, sc.Title, sc.Items = "reportd", "Reports of an HTTP service", scenarios.Items{}
	sc.SUT = scenarios.SUT{NoFile: 256, Command: []string{"./reportd", "-addr", "{{addr}}", "-limit", "{{limit}}"}}
	if hosts > 1 {
		sc.SUT.Hosts = hosts
	}
	sc.Service = &scenarios.Service{
		Duration: scenarios.Duration(10 * time.Second), Arrivals: scenarios.Arrivals{Pattern: "constant", Rate: 8},
		Requests: []scenarios.Request{{Method: "POST", Path: "/reports", Body: "{}", Weight: 3}, {Method: "GET", Path: "/reports/{{n}}"}},
	}
	return served(sc, func(t *results.Trial) bool {
		t.Stages, t.Documents, t.Upstream, t.ItemsDone, t.ItemsFailed, t.Errors = nil, nil, nil, nil, nil, nil
		t.Descriptors.Inside, t.Descriptors.Leaked, t.Descriptors.LeakedKinds = nil, nil, nil
		t.Resources.Goroutines = nil
		t.Service.Requests = requestKinds(t.Service)
		for _, c := range []results.Column{results.ColumnGoroutines, results.ColumnRefusedMongo} { // not seen from outside
			delete(t.Service.Series.Columns, c)
		}
		return change == nil || change(t)
	})
}

// requestKinds splits the requests of a trial in two: three quarters are slow, and fail.
func requestKinds(s *results.Service) []results.RequestKind {
	most := 3 * s.Ended / 4
	slow := results.RequestKind{Name: "POST /reports", Ended: most, OK: most - (s.Ended - s.OK), Errors: s.Errors}
	quick := results.RequestKind{Name: "GET /reports/{{n}}", Ended: s.Ended - most, OK: s.Ended - most}
	for _, k := range []*results.RequestKind{&slow, &quick} {
		h := hdrhistogram.New(1000, int64(time.Hour), 3)
		for i := range k.Ended {
			_ = h.RecordValue(int64(k.Ended) * int64(i+1) * 1e5)
		}
		k.Response, _ = results.NewHistogram(h)
		k.ServiceTime = k.Response
	}
	return []results.RequestKind{slow, quick}
}

// served returns the run of a service.
func served(sc *scenarios.Scenario, change func(t *results.Trial) bool) *results.Run {
	levels, err := sc.ExpandLevels()
	if err != nil {
		panic(err)
	}
	run := &results.Run{Header: header(sc, len(levels))}
	for block := range sc.Blocks {
		for _, l := range levels {
			for _, v := range sc.Variants {
				t := trial(sc, l, v, block)
				t.Index, t.Makespan, t.Ideal, t.MakespanSource = len(run.Trials), 0, 0, ""
				serve(&t, l.Scenario, v.Name == "forgotten" || v.Name == "leaky")
				if change == nil || change(&t) {
					run.Trials = append(run.Trials, t)
				}
			}
		}
	}
	run.Complete = len(run.Trials) == run.Header.Planned
	return run
}

// serve turns a trial into one of a service under load.
func serve(t *results.Trial, sc *scenarios.Scenario, leaks bool) {
	const lost, held, base = 4, 2, 20
	rng := rand.New(rand.NewPCG(t.Seed, hash(t.Variant, t.LevelName)))
	s := &results.Service{Recovered: true}
	rate := sc.Service.Arrivals.Rate
	refused, exhausted := 0.0, false
	for tick := range 100 {
		at := float64(tick) / 10
		inFlight := float64(rng.IntN(4))
		done := float64(int(max(0, rate*at-inFlight)))
		fds := base + held*inFlight
		if leaks {
			fds += lost * done
		}
		if fds >= float64(sc.SUT.NoFile) {
			fds, exhausted = float64(sc.SUT.NoFile), true
		}
		if exhausted {
			refused++
		}
		s.Series.Append(time.Duration(tick)*100*time.Millisecond, map[results.Column]int64{
			results.ColumnReportsInFlight: int64(inFlight),
			results.ColumnDone:            int64(done),
			results.ColumnArrived:         int64(done),
			results.ColumnDescriptors:     int64(fds),
			results.ColumnRefused:         int64(refused),
			results.ColumnRefusedMongo:    int64(refused),
			results.ColumnGoroutines:      int64(20 + 10*fds),
		})
	}
	s.Due = int(rate * 10)
	*t.Documents = results.Documents{Expected: 30 * s.Due, Found: 30 * s.Due}
	s.Ended, s.OK = s.Due, s.Due
	t.Descriptors = results.Descriptors{Baseline: 8, Peak: base + 3*held, Leaked: new(0), Samples: 100}
	if exhausted {
		s.OK, s.Errors, s.Recovered = s.Due/2, map[string]int{"http_5xx": s.Due - s.Due/2}, false
		t.Errors = []results.ErrorCount{{Type: "emfile", Side: "mongo", Count: 12, First: 9 * time.Second, Sample: "dial tcp 127.0.0.1: socket: too many open files"}}
		t.Documents.Found, t.Documents.Unwritten = 30*s.OK, 30*(s.Due-s.OK)
	}
	if leaks {
		t.Descriptors.Peak, t.Descriptors.Leaked = min(sc.SUT.NoFile, base+lost*s.Due), new(lost*s.Due)
		t.Descriptors.LeakedKinds = &results.Kinds{Upstream: (lost - 1) * s.Due, Mongo: s.Due}
	}
	h := hdrhistogram.New(1000, int64(time.Hour), 3)
	for range s.Ended {
		_ = h.RecordValue(int64(80e6 + 40e6*rng.ExpFloat64()))
	}
	s.Response, _ = results.NewHistogram(h)
	s.Accepted, s.ServiceTime, s.Lag = s.Response, s.Response, s.Response
	t.Service = s
}
