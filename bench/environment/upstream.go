package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"floodgate/bench/environment/child"
	"floodgate/bench/environment/upstreamproxy"
	"floodgate/mockupstream"
)

// upstreamVersion is the upstream's version in records; its revision is that of this program.
const upstreamVersion = "floodgate mock upstream"

var errNoUpstream = errors.New("the upstream is not running")

func (e *Environment) startUpstream(ctx context.Context) error {
	u, err := e.provider.startUpstream(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.upstream = u
	return nil
}

// ConfigureUpstream sets profile and seed and resets statistics and attempts. Of an
// external upstream it only resets the counts of the proxy, if there is one.
func (e *Environment) ConfigureUpstream(ctx context.Context, profile mockupstream.Profile, seed uint64) error {
	if !e.Mock() {
		p := e.upstreamProxy()
		if p == nil {
			return nil
		}
		return e.scrubber.Error(p.Call(ctx, upstreamProxyRequest{Reset: true}))
	}
	body, err := json.Marshal(struct {
		Seed    uint64               `json:"seed"`
		Profile mockupstream.Profile `json:"profile"`
	}{seed, profile})
	if err != nil {
		return fmt.Errorf("configure upstream: %w", err)
	}
	base := e.UpstreamURL()
	if base == "" {
		return fmt.Errorf("configure upstream: %w", errNoUpstream)
	}
	if _, err := e.request(ctx, http.MethodPut, base+"/profile", body); err != nil {
		return fmt.Errorf("configure upstream: %w", e.scrubber.Error(err))
	}
	return nil
}

// UpstreamStats returns the statistics of the built-in mock since ConfigureUpstream. An
// external upstream has none.
func (e *Environment) UpstreamStats(ctx context.Context) (mockupstream.Stats, error) {
	base := e.UpstreamURL()
	if base == "" {
		return mockupstream.Stats{}, fmt.Errorf("ask upstream for its statistics: %w", errNoUpstream)
	}
	stats, err := e.stats(ctx, base)
	if err != nil {
		err = explain(ctx, e.servers()[0], err)
		return stats, fmt.Errorf("ask upstream for its statistics: %w", e.scrubber.Error(err))
	}
	return stats, nil
}

// ProxyStats returns the counts of the proxy in front of an external upstream since
// ConfigureUpstream; nil without a proxy.
func (e *Environment) ProxyStats(ctx context.Context) (*upstreamproxy.Stats, error) {
	p := e.upstreamProxy()
	if p == nil {
		return nil, nil
	}
	var stats upstreamproxy.Stats
	if err := p.Ask(ctx, upstreamProxyRequest{Stats: true}, &stats); err != nil {
		return nil, fmt.Errorf("ask the proxy for its counts: %w", e.scrubber.Error(err))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent = stats.Sent
	return &stats, nil
}

// upstreamProxy returns the proxy in front of an external upstream, or nil.
func (e *Environment) upstreamProxy() *child.Process {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.upstream == nil {
		return nil
	}
	return e.upstream.proxy
}

func (e *Environment) stats(ctx context.Context, base string) (stats mockupstream.Stats, err error) {
	body, err := e.request(ctx, http.MethodGet, base+"/stats", nil)
	if err != nil {
		return stats, err
	}
	if err := json.Unmarshal(body, &stats); err != nil {
		return stats, fmt.Errorf("read the statistics: %w", err)
	}
	return stats, nil
}

// listening returns the address in a URL of a server of this program.
func listening(base string) (netip.AddrPort, error) {
	u, err := url.Parse(base)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.ParseAddrPort(u.Host)
}

// request returns the body of an answer; a status other than 2xx is an error.
func (e *Environment) request(ctx context.Context, method, target string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read answer: %w", method, target, err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %.500s", method, target, resp.Status, strings.TrimSpace(string(answer)))
	}
	return answer, nil
}
