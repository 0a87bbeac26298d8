package target_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"floodgate/bench/environment/target"
	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/pipeline/dialcount"
)

func TestOtherMachinesAreRefused(t *testing.T) {
	resolver := dns(t, zone{addrs: map[string][][]string{
		"here.example.test.":   {{"127.0.0.1"}},
		"there.example.test.":  {{public}},
		"both.example.test.":   {{"127.0.0.1", public}},
		"lan.example.test.":    {{"192.168.1.7"}},
		"nobody.example.test.": {{}},
	}})
	for _, c := range []struct {
		host    string
		allowed []string
		refused bool
		fails   string // the error otherwise
	}{
		{host: "127.0.0.1"}, {host: "127.8.9.10"}, {host: "::1"}, {host: "[::1]"}, {host: "::ffff:127.0.0.1"}, {host: "here.example.test"},
		{host: public, refused: true}, {host: "0.0.0.0", refused: true}, {host: "::", refused: true},
		{host: "10.0.0.1", refused: true}, {host: "169.254.169.254", refused: true}, {host: "fe80::1", refused: true},
		{host: "::ffff:" + public, refused: true},
		{host: "there.example.test", refused: true}, {host: "lan.example.test", refused: true},
		{host: "both.example.test", refused: true},
		{host: "there.example.test", allowed: []string{"there.example.test"}},
		{host: "There.Example.test.", allowed: []string{" there.example.TEST"}},
		{host: "there.example.test", allowed: []string{"example.test", "here.example.test", public}, refused: true},
		{host: public, allowed: []string{"there.example.test"}, refused: true},
		{host: public, allowed: []string{public}},
		{host: "2001:DB8::1", allowed: []string{"[2001:db8:0::1]"}},
		{host: "nobody.example.test", fails: "resolve nobody.example.test"},
		{host: "unknown.example.test", fails: "no such host"},
		{host: "", fails: "resolve"},
	} {
		p := allow(resolver, c.allowed...)
		err := p.Check(t.Context(), c.host)
		var refused *target.RefusedError
		switch {
		case c.refused:
			if !errors.As(err, &refused) || refused.Host != c.host {
				t.Errorf("%s with %q: %v, want it refused", c.host, c.allowed, err)
			}
		case c.fails != "":
			if err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, want %q", c.host, err, c.fails)
			}
		case err != nil:
			t.Errorf("%s with %q: %v", c.host, c.allowed, err)
		}
	}
}

func TestRefusalNamesTheReasonAndTheRemedy(t *testing.T) {
	for _, c := range []struct {
		host string
		want []string
	}{
		{"db.example.com", []string{"db.example.com resolves to 203.0.113.5", "is an attack", "worthless", "--allow-target db.example.com"}},
		{public, []string{"203.0.113.5 is not this machine", "--allow-target 203.0.113.5"}},
	} {
		err := &target.RefusedError{Host: c.host, Addr: netip.MustParseAddr(public)}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
		if got := pipeline.ErrorType(fmt.Errorf("dial: %w", err)); got != "not_allowed" {
			t.Errorf("type %s", got)
		}
	}
}

func TestValidateAndAllows(t *testing.T) {
	for host, valid := range map[string]bool{
		"db.example.com": true, "10.0.0.1": true, "::1": true, "[2001:db8::1]": true, "a_b-c": true,
		"": false, "db.example.com:27017": false, "http://db": false, "*.example.com": false, "db/x": false, "a b": false, "10.0.0.0/8": false,
		"a..b": false, "-": true,
	} {
		if err := (target.Policy{Allowed: []string{host}}).Validate(); (err == nil) != valid {
			t.Errorf("%q: %v", host, err)
		}
	}
	p := target.Policy{Allowed: []string{"db.example.com", "2001:db8::1"}}
	for host, want := range map[string]bool{
		"db.example.com": true, "DB.example.com:27017": true, "[2001:db8::1]:27017": true, "2001:db8::1": true,
		"x.db.example.com": false, "": false, "127.0.0.1": false,
	} {
		if p.Allows(host) != want {
			t.Errorf("Allows(%q) is %v", host, !want)
		}
	}
}

func TestDial(t *testing.T) {
	port := listen(t).Port()
	resolver := dns(t, zone{addrs: map[string][][]string{
		"here.example.test.": {{"127.0.0.1"}}, "there.example.test.": {{public}},
	}})
	for _, c := range []struct {
		network, host string
		want          string // the error
	}{
		{"tcp", "127.0.0.1", ""}, {"tcp4", "here.example.test", ""}, {"tcp", "::ffff:127.0.0.1", ""},
		{"tcp", public, "is not this machine"}, {"tcp", "there.example.test", "resolves to " + public},
		{"tcp", "0.0.0.0", "is not this machine"},
		{"udp", "127.0.0.1", "only TCP"}, {"unix", "127.0.0.1", "only TCP"},
	} {
		conn, err := allow(resolver).DialContext(t.Context(), c.network, net.JoinHostPort(c.host, fmt.Sprint(port)))
		if err == nil {
			conn.Close()
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.network, c.host, err, c.want)
		}
		if c.want != "" && c.network == "tcp" && !errors.As(err, new(*target.RefusedError)) {
			t.Errorf("%s: %T", c.host, err)
		}
	}
	if _, err := (target.Policy{}).DialContext(t.Context(), "tcp", "no port"); err == nil {
		t.Error("an address without a port is dialed")
	}
}

// A connection to an allowed host may go to any address that it resolves to: here to the
// unspecified address, which is not loopback, but reaches this machine.
func TestAllowedHostIsDialed(t *testing.T) {
	to := netip.AddrPortFrom(netip.IPv4Unspecified(), listen(t).Port()).String()
	conn, err := target.Policy{Allowed: []string{"0.0.0.0"}}.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// A name may resolve to loopback when it is checked and to another address when it is
// dialed, for example if an attacker controls its DNS.
func TestNameThatChangesItsAddressIsRefusedByDial(t *testing.T) {
	p := allow(dns(t, zone{addrs: map[string][][]string{"changing.example.test.": {{"127.0.0.1"}, {public}}}}))
	if err := p.Check(t.Context(), "changing.example.test"); err != nil {
		t.Fatal("at the check:", err)
	}
	_, err := p.DialContext(t.Context(), "tcp", "changing.example.test:27017")
	if !errors.As(err, new(*target.RefusedError)) {
		t.Errorf("at the dial: %v", err)
	}
}

func TestRedirectsLeadNowhere(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("http://"+public+"/items/a", http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	t.Run("a client that follows", func(t *testing.T) {
		transport := &http.Transport{DialContext: target.Policy{}.DialContext}
		t.Cleanup(transport.CloseIdleConnections)
		resp, err := (&http.Client{Transport: transport}).Get(server.URL)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if !errors.As(err, new(*target.RefusedError)) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("our fetcher does not", func(t *testing.T) {
		dialed := 0
		dialer := &dialcount.Counter{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed++
			return target.Policy{}.DialContext(ctx, network, address)
		}}
		f, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: server.URL, Dialer: dialer})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Close)
		if _, err := f.Fetch(t.Context(), "a"); pipeline.ErrorType(err) != "http_3xx" || dialed != 1 {
			t.Errorf("%v after %d dials", err, dialed)
		}
	})
}
