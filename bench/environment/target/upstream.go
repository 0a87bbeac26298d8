package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/mockupstream"
)

// Upstream is the parsed URL of an upstream. It is immutable.
type Upstream struct{ url *url.URL }

var errUpstream = errors.New("upstream URL: want http://host:port or https://host, with user:password@ before the host if required, without query and fragment")

// ParseUpstream parses a URL without using the network. Items are at URL/items/…. Errors
// do not quote the URL.
func ParseUpstream(raw string) (*Upstream, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" || strings.ContainsAny(raw, "?#") ||
		strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) || strings.Contains(u.EscapedPath(), "@") {
		return nil, errUpstream
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(host); err != nil && !validHost(host) || err == nil && a.Zone() != "" {
		return nil, errUpstream
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errUpstream
		}
	}
	if u.User != nil && u.User.Username() == "" {
		return nil, errUpstream
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return &Upstream{url: u}, nil
}

// URL returns the base URL, without a trailing slash. It contains the credentials.
func (u *Upstream) URL() string { return u.url.String() }

// Redacted returns the URL without credentials, for display.
func (u *Upstream) Redacted() string {
	shown := *u.url
	shown.User = nil
	if u.url.User != nil {
		return shown.Scheme + "://***@" + strings.TrimPrefix(shown.String(), shown.Scheme+"://")
	}
	return shown.String()
}

// String returns Redacted.
func (u *Upstream) String() string { return u.Redacted() }

// GoString returns Redacted, so that no verb of package fmt prints more.
func (u *Upstream) GoString() string { return u.Redacted() }

// Host returns host:port, with the default port of the scheme if the URL has none.
func (u *Upstream) Host() string {
	port := u.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.url.Scheme]
	}
	return net.JoinHostPort(u.url.Hostname(), port)
}

// Secrets returns the strings that must not appear in any output: the password, alone and
// together with the user, or a user without a password, which is a token. It is empty if
// there are none.
func (u *Upstream) Secrets() []string {
	if u.url.User == nil {
		return nil
	}
	user := u.url.User.Username()
	password, has := u.url.User.Password()
	if !has || password == "" {
		return []string{user, user + ":"}
	}
	_, escaped, _ := strings.Cut(u.url.User.String(), ":")
	secrets := []string{password, escaped, user + ":" + password, u.url.User.String()}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

// Addrs resolves the upstream. It is an error if the policy does not allow an address.
func (u *Upstream) Addrs(ctx context.Context, p Policy) ([]netip.AddrPort, error) {
	addrs, err := p.resolvePort(ctx, u.Host())
	if err != nil {
		return nil, NewScrubber(u.Secrets()).Error(fmt.Errorf("upstream %s: %w", u.Redacted(), err))
	}
	return addrs, nil
}

// mockTimeout bounds one request that checks for a mock.
const mockTimeout = 10 * time.Second

// Mock reports whether the upstream is a built-in mock that accepts a profile: it returns
// [mockupstream.Stats], and allows PUT of a profile. Mock changes nothing. An upstream
// that answers differently is not a mock, which is not an error; it is an error if the
// upstream does not answer or rejects the credentials.
func (u *Upstream) Mock(ctx context.Context, p Policy) (bool, error) {
	mock, err := u.probe(ctx, p)
	if err != nil {
		err = u.explain(ctx, p, err)
		return false, NewScrubber(u.Secrets()).Error(fmt.Errorf("upstream %s: %w", u.Redacted(), err))
	}
	return mock, nil
}

func (u *Upstream) probe(ctx context.Context, p Policy) (bool, error) {
	transport := &http.Transport{DialContext: p.DialContext, DisableKeepAlives: true} // without the proxy of the environment
	client := &http.Client{
		Transport: transport, Timeout: mockTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	stats, err := u.get(ctx, client, "/stats")
	if err != nil {
		return false, err
	}
	if stats.status == http.StatusUnauthorized && u.url.User != nil {
		return false, errors.New("it rejects the credentials (401)")
	}
	if stats.status != http.StatusOK || !isStats(stats.body) {
		return false, nil
	}
	profile, err := u.get(ctx, client, "/profile")
	return err == nil && profile.status == http.StatusMethodNotAllowed && profile.allow == http.MethodPut, err
}

// answer is the part of a response that identifies a mock.
type answer struct {
	status int
	allow  string // the header
	body   []byte // up to 1 MiB
}

func (u *Upstream) get(ctx context.Context, client *http.Client, path string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.URL()+path, nil)
	if err != nil {
		return answer{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return answer{}, fmt.Errorf("read %s: %w", path, err)
	}
	return answer{response.StatusCode, response.Header.Get("Allow"), body}, nil
}

// isStats reports whether body is [mockupstream.Stats]: it has no unknown fields, and has
// those that are never omitted.
func isStats(body []byte) bool {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(new(mockupstream.Stats)); err != nil {
		return false
	}
	var have map[string]json.RawMessage
	if json.Unmarshal(body, &have) != nil {
		return false
	}
	for _, name := range []string{"seed", "uptime_ns", "requests", "peak_in_flight", "late_median_ns", "saturated"} {
		if have[name] == nil {
			return false
		}
	}
	return true
}
