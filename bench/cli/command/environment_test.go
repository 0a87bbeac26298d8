package command

import (
	"net/netip"
	"strings"
	"testing"

	"floodgate/bench/environment"
	"floodgate/bench/environment/upstreamproxy"
	"floodgate/scenarios"
)

// The shards of a run never send more than the bounds allow the run, and each may send
// what it needs.
func TestDivide(t *testing.T) {
	s, err := scenarios.Parse("s.yaml", []byte(`
version: 1
name: s
title: Two programs
items: {kind: phone-numbers}
external: {requests: 127, rate: 10}
sut: {command: [program]}
variants: [{strategy: sequential}, {strategy: bounded, limit: 4}]
levels: [{items: [4, 6]}] # 120 requests in 24 trials
blocks: 6
`))
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.OnHosts(4); err != nil {
		t.Fatal(err)
	}
	requests, rate := 0, 0
	for n, need := range []int{36, 36, 24, 24} { // 1 of 4 and 2 of 6 items, or 1 of both
		b := upstreamproxy.Bounds{Rate: s.External.MaxRate(), Requests: s.External.MaxRequests()}
		u := Setup{Options: environment.Options{Bounds: &b}}
		if err := u.Divide(s, scenarios.Shard{Number: n + 1, Of: 4}); err != nil {
			t.Fatal(err)
		}
		if b.Requests < need {
			t.Errorf("shard %d may send %d requests and needs %d", n+1, b.Requests, need)
		}
		requests, rate = requests+b.Requests, rate+b.Rate
	}
	if requests > 127 || rate != 10 {
		t.Errorf("the shards may send %d requests, %d per second", requests, rate)
	}
}

func TestOwnMock(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:80": "", "[::1]:80": "", "[::ffff:127.0.0.1]:80": "",
		"203.0.113.5:80": "--shard: the upstream at 203.0.113.5:80 accepts a profile, which every shard would set for the others; ",
	} {
		err := ownMock([]netip.AddrPort{netip.MustParseAddrPort(addr)})
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
