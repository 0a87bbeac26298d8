package target_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"floodgate/bench/environment/target"
	"floodgate/mockupstream"
)

func TestParseUpstream(t *testing.T) {
	for _, c := range []struct {
		raw, url, redacted, host string
		secrets                  []string
	}{
		{"http://h", "http://h", "http://h", "h:80", nil},
		{"https://h/base/", "https://h/base", "https://h/base", "h:443", nil},
		{"http://[::1]:8080//", "http://[::1]:8080", "http://[::1]:8080", "[::1]:8080", nil},
		{"http://u:p%40ss@h:1", "http://u:p%40ss@h:1", "http://***@h:1", "h:1", []string{"p%40ss", "p@ss", "u:p%40ss", "u:p@ss"}},
		{"https://token@h/x", "https://token@h/x", "https://***@h/x", "h:443", []string{"token", "token:"}},
	} {
		u, err := target.ParseUpstream(c.raw)
		if err != nil {
			t.Errorf("%s: %v", c.raw, err)
			continue
		}
		if u.URL() != c.url || u.Redacted() != c.redacted || u.Host() != c.host || !slices.Equal(u.Secrets(), c.secrets) {
			t.Errorf("%s: %s %s %s %q", c.raw, u.URL(), u.Redacted(), u.Host(), u.Secrets())
		}
		if shown := fmt.Sprintf("%v %+v %#v", u, u, u); strings.Contains(shown, "ss@") || strings.Contains(shown, "token") {
			t.Errorf("printed as %s", shown)
		}
	}
	for _, raw := range []string{
		"", "h:80", "ftp://h", "http:h", "http://", "http://:80", "http://h:", "http://h:0", "http://h:65536", "http://h:QZXWK",
		"http://u:QZXWK", "http://u:QZ/XWK@h", "http://u:QZ%XWK@h", "http://:QZXWK@h", "http://h?", "http://h/?key=QZXWK", "http://h/#QZXWK", "http://h/#",
		"http://h/a@b", "http://a b/", "http://h/QZ XWK", "http://[fe80::1%25eth0]/", "http://h_*/",
	} {
		if u, err := target.ParseUpstream(raw); err == nil || strings.Contains(err.Error(), "XWK") {
			t.Errorf("%q: %v, %v", raw, u, err)
		}
	}
}

func FuzzParseUpstream(f *testing.F) {
	for _, seed := range []string{"http://h", "https://u:QZXWK@h:1/x/", "http://QZXWK@h", "http://u:QZXWK", "http://QZXWK:1@[::1]/%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := target.ParseUpstream(raw)
		if err != nil {
			if strings.Contains(err.Error(), "QZXWK") {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		again, err := target.ParseUpstream(u.URL())
		if err != nil || again.URL() != u.URL() || !slices.Equal(again.Secrets(), u.Secrets()) {
			t.Fatalf("%q became %q: %v", raw, u.URL(), err)
		}
		shown, err := target.ParseUpstream(u.Redacted())
		if err != nil || shown.Host() != u.Host() || len(u.Secrets()) == 0 && u.Redacted() != u.URL() {
			t.Fatalf("%q is shown as %q: %v", raw, u.Redacted(), err)
		}
	})
}

// mock starts the real mock upstream and returns its URL.
func mock(t *testing.T, control bool) string {
	t.Helper()
	u, err := mockupstream.New(mockupstream.Profile{}, 7)
	if err != nil {
		t.Fatal(err)
	}
	s, err := mockupstream.Serve(context.Background(), mockupstream.ServerOptions{Control: control}, u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); u.Close() })
	return s.URL()
}

func TestMockIsRecognized(t *testing.T) {
	serve := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	status := func(code int) string {
		return serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	locked := serve(func(w http.ResponseWriter, r *http.Request) {
		if _, p, _ := r.BasicAuth(); p != "right" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	with := func(url, userinfo string) string { return strings.Replace(url, "://", "://"+userinfo+"@", 1) }
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	ours := mock(t, true)
	for _, c := range []struct {
		name, url string
		mock      bool
		want      string // the error
	}{
		{"ours", ours, true, ""},
		{"ours, with credentials", with(ours, "u:QZXWK"), true, ""},
		{"ours, which takes no profile", mock(t, false), false, ""},
		{"has nothing there", status(http.StatusNotFound), false, ""},
		{"says ok to everything", status(http.StatusOK), false, ""},
		{"other statistics", serve(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"seed":1,"requests":5}`) }), false, ""},
		{"more than statistics", serve(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"seed":1,"uptime_ns":1,"requests":5,"peak_in_flight":1,"late_median_ns":1,"saturated":false,"more":1}`)
		}), false, ""},
		{"redirects elsewhere", serve(http.RedirectHandler("http://"+public+"/", http.StatusFound).ServeHTTP), false, ""},
		{"asks for a password", locked, false, ""},
		{"right password", with(locked, "u:right"), false, ""},
		{"wrong password", with(locked, "u:QZXWK"), false, "rejects the credentials"},
		{"HTTP/2 alone", protocols(t, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }), false, "it speaks HTTP/2 but not HTTP/1.1"},
		{"HTTP/2 too", protocols(t, func(p *http.Protocols) { p.SetHTTP1(true); p.SetUnencryptedHTTP2(true) }), false, ""},
		{"hangs up", serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), false, "EOF"},
		{"no listener", with(closed.URL, "QZXWK"), false, "refused"},
		{"elsewhere", "http://QZXWK@" + public, false, "--allow-target " + public},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := target.ParseUpstream(c.url)
			if err != nil {
				t.Fatal(err)
			}
			is, err := u.Mock(t.Context(), target.Policy{})
			if is != c.mock || (err == nil) != (c.want == "") {
				t.Errorf("mock %v, %v; want %v, %q", is, err, c.mock, c.want)
			}
			if err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "QZXWK")) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// protocols starts a server of the protocols, which answers 404, and returns its URL.
func protocols(t *testing.T, set func(*http.Protocols)) string {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.Protocols = new(http.Protocols)
	set(s.Config.Protocols)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func TestAddressesOfAnUpstream(t *testing.T) {
	p := allow(dns(t, zone{addrs: map[string][][]string{
		"here.example.test.": {{"127.0.0.1", "127.0.0.2"}}, "there.example.test.": {{public}},
	}}))
	u, err := target.ParseUpstream("https://token@here.example.test")
	if err != nil {
		t.Fatal(err)
	}
	got, err := u.Addrs(t.Context(), p)
	want := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:443"), netip.MustParseAddrPort("127.0.0.2:443")}
	slices.SortFunc(got, netip.AddrPort.Compare)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if u, err = target.ParseUpstream("https://token@there.example.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Addrs(t.Context(), p); !errors.As(err, new(*target.RefusedError)) || strings.Contains(err.Error(), "token") {
		t.Errorf("elsewhere: %v", err)
	}
	p.Allowed = []string{"there.example.test"}
	if got, err := u.Addrs(t.Context(), p); err != nil || len(got) != 1 || got[0].String() != net.JoinHostPort(public, "443") {
		t.Errorf("allowed: %v, %v", got, err)
	}
}
