package scenarios_test

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"floodgate/scenarios"
)

func TestDealGivesEveryKeyToOneHost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOf(rapid.IntRange(0, 30)).Draw(t, "items")
		hosts := rapid.IntRange(1, 9).Draw(t, "hosts")
		dealt := scenarios.Deal(items, strconv.Itoa, hosts)
		if len(dealt) != hosts {
			t.Fatalf("%d hosts, want %d", len(dealt), hosts)
		}
		owner := map[int]int{}
		distinct := make([]int, hosts)
		var all []int
		for host, share := range dealt {
			all = append(all, share...)
			for _, item := range share {
				if other, owned := owner[item]; owned && other != host {
					t.Fatalf("item %d is on hosts %d and %d", item, other, host)
				} else if !owned {
					distinct[host]++
				}
				owner[item] = host
			}
			next := 0 // the share is in input order
			for _, item := range items {
				if next < len(share) && share[next] == item && owner[item] == host {
					next++
				}
			}
			if next != len(share) {
				t.Fatalf("host %d has %v of %v, which is not in order", host, share, items)
			}
		}
		if slices.Max(distinct)-slices.Min(distinct) > 1 {
			t.Fatalf("%v distinct items", distinct)
		}
		sorted := slices.Sorted(slices.Values(items))
		if slices.Sort(all); !slices.Equal(all, sorted) {
			t.Fatalf("dealt %v of %v", all, sorted)
		}
	})
}

func TestShareDividesALimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, hosts := rapid.IntRange(0, 1000).Draw(t, "n"), rapid.IntRange(1, 50).Draw(t, "hosts")
		sum, last := 0, n
		for host := range hosts {
			share := scenarios.Share(n, host, hosts)
			if share > last || share < n/hosts || share > (n+hosts-1)/hosts {
				t.Fatalf("host %d of %d gets %d of %d after %d", host, hosts, share, n, last)
			}
			sum, last = sum+share, share
		}
		if sum != n {
			t.Fatalf("the shares of %d add up to %d", n, sum)
		}
	})
}

func TestOnHost(t *testing.T) {
	v := scenarios.Variant{Strategy: "staged", Limit: 10, Writers: 5, Queue: 7}
	if got := v.OnHost(3, 4); got.Limit != 10 || got.Writers != 5 || got.Queue != 7 {
		t.Errorf("a limit of each host became %+v", got)
	}
	v.LimitScope = scenarios.LimitScopeFleet
	var limits, writers []int
	for host := range 4 {
		on := v.OnHost(host, 4)
		limits, writers = append(limits, on.Limit), append(writers, on.Writers)
		if on.Queue != 7 {
			t.Errorf("the queue became %d", on.Queue)
		}
	}
	if !slices.Equal(limits, []int{3, 3, 2, 2}) || !slices.Equal(writers, []int{2, 1, 1, 1}) {
		t.Errorf("limits %v and writers %v", limits, writers)
	}
}

func TestHostsInPredictions(t *testing.T) {
	s := &scenarios.Scenario{Items: scenarios.Items{Count: 10}, SUT: scenarios.SUT{Hosts: 4}}
	perHost := scenarios.Variant{Strategy: "bounded", Limit: 8}
	divided := perHost
	divided.LimitScope = scenarios.LimitScopeFleet
	if got := scenarios.Predict(perHost, s); got.Upstream != 3 { // of 10 items, a host has 3 at most
		t.Errorf("a host opens %d connections to the upstream, want 3", got.Upstream)
	}
	if got := scenarios.Predict(divided, s); got.Upstream != 2 {
		t.Errorf("a host with its part of the limit opens %d connections to the upstream, want 2", got.Upstream)
	}
	if got := s.DeclaredLimit(perHost); got != 32 {
		t.Errorf("4 hosts with a limit of 8 declare %d", got)
	}
	if got := s.DeclaredLimit(divided); got != 8 {
		t.Errorf("4 hosts that divide 8 declare %d", got)
	}
	if got := s.DeclaredLimit(scenarios.Variant{Strategy: "unbounded"}); got != 0 {
		t.Errorf("no limit became %d", got)
	}
}

func TestHostsAreAFactor(t *testing.T) {
	s, err := scenarios.Parse("hosts.yaml", []byte(`
version: 1
name: hosts
title: One level does not set the hosts
items: {kind: phone-numbers}
variants: [{strategy: bounded, limit: 4, limit_scope: fleet}]
levels: [{items: 10}, {items: 20, sut.hosts: [2, 4]}]
blocks: 6
`))
	if err != nil {
		t.Fatal(err)
	}
	levels, err := s.ExpandLevels()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range levels {
		names = append(names, l.Name)
	}
	if want := []string{"items=10 sut.hosts=1", "items=20 sut.hosts=2", "items=20 sut.hosts=4"}; !slices.Equal(names, want) {
		t.Errorf("levels %q, want %q", names, want)
	}
	if hosts := levels[0].Scenario.SUT.HostCount(); hosts != 1 {
		t.Errorf("%d hosts where none are set", hosts)
	}
}

func TestParseShard(t *testing.T) {
	for text, want := range map[string]scenarios.Shard{"1/2": {1, 2}, "5/5": {5, 5}, "2/1000": {2, 1000}} {
		got, err := scenarios.ParseShard(text)
		if err != nil || got != want || got.Flag() != text || got.Host() != want.Number-1 {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2", "2/", "/5", "0/5", "6/5", "1/1", "-1/5", "02/5", "2/05", "+2/5", "2/5/6", " 2/5", "a/b", "2/5 ", "9999999999999999999/5"} {
		if got, err := scenarios.ParseShard(text); err == nil {
			t.Errorf("%q became %v", text, got)
		}
	}
}

func FuzzParseShard(f *testing.F) {
	for _, text := range []string{"2/5", "0/5", "a/b", "2/5/6"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scenarios.ParseShard(text)
		if err == nil && (s.Flag() != text || s.Number < 1 || s.Number > s.Of || s.Of < 2) {
			t.Errorf("%q became %+v", text, s)
		}
	})
}

func TestOnHosts(t *testing.T) {
	parse := func(text string) *scenarios.Scenario {
		t.Helper()
		s, err := scenarios.Parse("s.yaml", []byte("version: 1\nname: s\ntitle: Hosts\nitems: {kind: phone-numbers}\nblocks: 6\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const plain = "variants: [{strategy: bounded, limit: 4, limit_scope: fleet}]\nlevels: [{items: [6, 20]}]\n"
	s := parse(plain)
	got, err := s.OnHosts(4)
	if err != nil {
		t.Fatal(err)
	}
	if want := parse("sut: {hosts: 4}\n" + plain); !reflect.DeepEqual(got, want) || s.SUT.Hosts != 0 {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	for want, s := range map[string]*scenarios.Scenario{
		`it sets sut.hosts; remove that`:  parse("sut: {hosts: 1}\n" + plain),
		`it sets sut.hosts; remove that `: parse("variants: [{strategy: sequential}]\nlevels: [{items: 20, sut.hosts: 2}]\n"),
		`it has a service, whose hosts share one load and run on one machine or in one cluster; set sut.hosts in the scenario`: parse("service: {arrivals: {rate: 1}, duration: 1s}\nvariants: [{strategy: sequential}]\nlevels: [{sut.nofile: 64}]\n"),
		`external.rate, 4, must be at least 1 for each`:                                              parse("external: {rate: 4}\n" + plain),
		`limit of "bounded-4" must be at least 1 for each, because its limit_scope is fleet (got 4)`: s,
		`level "items=4" has 4 distinct items, and each host needs one`:                              parse("variants: [{strategy: sequential}]\nlevels: [{items: 20}, {items: 4}]\n"),
	} {
		_, err := s.OnHosts(5)
		if want = "scenario s cannot run on 5 hosts: " + strings.TrimSpace(want); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}
