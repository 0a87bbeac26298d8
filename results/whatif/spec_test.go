package whatif_test

import (
	"strings"
	"testing"
	"time"

	"floodgate/results/whatif"
)

func TestParse(t *testing.T) {
	all := whatif.Spec{
		Items: 1_000_000, Strategy: "staged", Limit: 64, Writers: 8, Queue: 0, Pool: 4, Hosts: 40,
		UpstreamP50: 80 * time.Millisecond, UpstreamP99: time.Second, DatabaseP50: 1500 * time.Microsecond, Rate: 0.5, Capacity: 100,
	}
	for text, want := range map[string]whatif.Spec{
		"items=1e6,limit=64,upstream.p50=80ms,hosts=40": {Items: 1_000_000, Limit: 64, UpstreamP50: 80 * time.Millisecond, Hosts: 40},
		"items=5":                   {Items: 5},
		" items=5 , limit=2":        {Items: 5, Limit: 2},
		"strategy=sequential":       {Strategy: "sequential"},
		"limit=8,writers=2":         {Limit: 8, Writers: 2},
		"limit=8,writers=2,queue=0": {Limit: 8, Writers: 2},
		"strategy=joined,limit=300": {Strategy: "joined", Limit: 300},
		"items=1e6,strategy=staged,limit=64,writers=8,queue=0,pool=4,hosts=40,upstream.p50=80ms,upstream.p99=1s,database.p50=1.5ms,rate=0.5,capacity=100": all,
	} {
		if got, err := whatif.Parse(text); err != nil || got != want {
			t.Errorf("%q: %+v, error %v, want %+v", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const known = "items, strategy, limit, writers, queue, pool, hosts, upstream.p50, upstream.p99, database.p50, rate, capacity"
	for text, want := range map[string]string{
		"":                                  `what-if "": want KEY=VALUE, separated by commas, with the keys ` + known,
		"items":                             `what-if "items": want KEY=VALUE`,
		"items=5,":                          `what-if "": want KEY=VALUE`,
		"slots=5":                           `what-if slots=5: unknown key "slots" (want ` + known,
		"limit=5,limit=6":                   "what-if limit=6: limit is repeated; use each key once",
		"items=0":                           `what-if items: value "0": want a whole number from 1 to 10000000, such as 1e6`,
		"items=1.5":                         `what-if items: value "1.5": want a whole number`,
		"items=NaN":                         `what-if items: value "NaN": want a whole number`,
		"items=1e99":                        `what-if items: value "1e99": want a whole number`,
		"limit=010":                         `what-if limit: value "010": 010 has a leading zero, which could mean octal; write 10`,
		"items=01e6":                        `what-if items: value "01e6": 01e6 has a leading zero`,
		"upstream.p50=080ms":                `what-if upstream.p50: value "080ms": 080ms has a leading zero; write 80ms`,
		"rate=00.5":                         `what-if rate: value "00.5": 00.5 has a leading zero`,
		"limit=-1":                          `what-if limit: value "-1": want a whole number from 1 to 1000000`,
		"hosts=":                            `what-if hosts: value "": want a whole number from 1 to 10000`,
		"upstream.p50=80":                   `what-if upstream.p50: value "80": want a duration from 1µs to 1h0m0s, such as 80ms`,
		"database.p50=-1ms":                 `what-if database.p50: value "-1ms": want a duration from 1µs to 1h0m0s, such as 80ms`,
		"rate=0":                            `what-if rate: value "0": want requests per second from 0.001 to 1e+09`,
		"rate=Inf":                          `what-if rate: value "Inf": want requests per second`,
		"strategy=batched":                  `what-if strategy: value "batched": allowed: sequential, joined, unbounded, bounded, staged`,
		"strategy=bounded":                  "what-if strategy bounded needs limit=N",
		"strategy=unbounded,limit=3":        "what-if strategy unbounded has no limit (got 3); strategies with it: joined, bounded, staged",
		"strategy=staged,limit=3":           "what-if strategy staged needs writers=N",
		"strategy=joined,limit=3,writers=2": "what-if strategy joined has no writers (got 2); strategies with it: staged",
		"limit=3,queue=2":                   "what-if queue=2: writers are missing; add writers=N",
		"upstream.p50=2s,upstream.p99=1s":   "what-if upstream.p99=1s must be at least upstream.p50=2s",
	} {
		if _, err := whatif.Parse(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"items=1e6,limit=64,upstream.p50=80ms,hosts=40", "strategy=sequential", "limit=8,writers=2,queue=0", "rate=1e-3,capacity=7,pool=3", "limit=010,items=00", "a=b", "=", ",,", "items=1,items=2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := whatif.Parse(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "what-if ") || !strings.ContainsAny(err.Error(), ";(") && !strings.Contains(err.Error(), "want ") && !strings.Contains(err.Error(), "must be ") {
				t.Errorf("%q: error %q does not say what to write", text, err)
			}
			return
		}
		if again, err := whatif.Parse(spec.String()); spec != (whatif.Spec{}) && spec.String() != "" && (err != nil || again != spec) {
			t.Errorf("%q: %+v reads back as %+v, error %v", text, spec, again, err)
		}
	})
}
