package sut_test

import (
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"floodgate/bench/sut"
	"floodgate/mockupstream"
	"floodgate/scenarios"
)

// trial runs the built-in SUT on a spec until it is done.
func trial(t *testing.T, s sut.Spec) sut.Message {
	t.Helper()
	ctx := deadline(t)
	p := start(t, 256)
	if err := p.Send(ctx, s); err != nil {
		t.Fatal(err)
	}
	must[sut.Message](t)(p.Await(ctx, sut.TypeReady))
	if err := p.Send(ctx, sut.Message{Type: sut.TypeGo}); err != nil {
		t.Fatal(err)
	}
	return must[sut.Message](t)(p.Await(ctx, sut.TypeDone))
}

func TestTheSUTConnectsToAllowedHostsAlone(t *testing.T) {
	_, url := upstream(t, mockupstream.Profile{})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	// A connection to the unspecified address reaches this machine, but is not loopback.
	here := "http://" + net.JoinHostPort(netip.IPv4Unspecified().String(), port)
	for _, c := range []struct {
		name, url string
		allowed   []string
		want      string // type of the error
	}{
		{"loopback", url, nil, ""},
		{"public address", "http://203.0.113.5:" + port, nil, "not_allowed"},
		{"another was allowed", "http://203.0.113.5:" + port, []string{"203.0.113.6", "0.0.0.0"}, "not_allowed"},
		{"not loopback", here, nil, "not_allowed"},
		{"allowed", here, []string{"0.0.0.0"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && c.want == "" && c.url == here {
				t.Skip("Windows connects to no unspecified address")
			}
			s := spec(c.url, 4)
			s.AllowTargets = c.allowed
			done := trial(t, s)
			if c.want == "" {
				if *done.ItemsDone != 3 {
					t.Errorf("%d done: %+v", *done.ItemsDone, done.Errors)
				}
				return
			}
			if len(done.Errors) != 1 || done.Errors[0].Type != c.want || done.Errors[0].Count != 3 || done.Connections.Upstream > 4 {
				t.Errorf("errors %+v, want 3 %s", done.Errors, c.want)
			}
		})
	}
}

func TestTheSUTWritesToAllowedHostsAlone(t *testing.T) {
	_, url := upstream(t, mockupstream.Profile{})
	s := spec(url, 3)
	s.Writes, s.Variant.Connections.Clients = true, "per-batch" // not pinged before the first item
	s.Database = sut.DatabaseSpec{
		URI: "mongodb://203.0.113.5:27017/?serverSelectionTimeoutMS=100", Name: "floodgate_x", Collection: "trial_0", Documents: "per-item",
	}
	done := trial(t, s)
	if len(done.Errors) != 1 || done.Errors[0].Type != "not_allowed" || done.Errors[0].Side != "mongo" || done.Errors[0].Count != 2 {
		t.Errorf("errors %+v, want 2 not_allowed", done.Errors)
	}
}

func TestThrottledFetchesAreCounted(t *testing.T) {
	u, url := upstream(t, mockupstream.Profile{})
	for _, c := range []struct{ rate, held int }{{0, 0}, {1, 1}, {1000, 0}} {
		s := spec(url, 3)
		s.Variant = scenarios.Variant{Name: "unbounded", Strategy: "unbounded"}
		s.Upstream.Rate = c.rate
		done := trial(t, s)
		if *done.ItemsDone != 2 || done.Throttled != c.held || stage(t, done, "fetch") != 2 {
			t.Errorf("rate %d: %d done, %d throttled, want %d; %+v", c.rate, *done.ItemsDone, done.Throttled, c.held, done.Errors)
		}
	}
	if n := u.Stats().Requests; n != 6 {
		t.Errorf("%d requests, want 6", n)
	}
}
