package upstreamproxy

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// answer passes an answer on to the program, with URLs that lead through the proxy. A
// request stops being in flight before the last byte of its answer leaves, so that a
// program that waits for answers never exceeds its limit by sending the next one.
type answer struct {
	http.ResponseWriter
	proxy *Proxy
	trial *trial
	host  string // of the proxy, as the program addressed it
	head  bool   // the request asks for the header only

	left    int64 // bytes of the body that are to come; negative means unknown
	refused bool  // the upstream's answer is not passed on
	once    sync.Once
}

// Unwrap lets http.ResponseController find the features of the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// end ends the request's time in flight.
func (a *answer) end() { a.once.Do(a.trial.answered) }

// WriteHeader passes the header on.
func (a *answer) WriteHeader(status int) {
	if status < 200 {
		a.ResponseWriter.WriteHeader(status)
		return
	}
	header := a.Header()
	a.left = -1
	if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
		a.left = n
	}
	if a.left == 0 || a.head || status == http.StatusNoContent || status == http.StatusNotModified {
		a.end() // without a body, the header may leave at once
	}
	if to := header.Get("Location"); to != "" {
		there, ours := a.through(to)
		if !ours && status/100 == 3 {
			a.refuse(status, to)
			return
		}
		header.Set("Location", there)
	}
	if at := header.Get("Content-Location"); at != "" {
		there, _ := a.through(at)
		header.Set("Content-Location", there)
	}
	for i, link := range header["Link"] {
		header["Link"][i] = a.links(link)
	}
	for i, cookie := range header["Set-Cookie"] {
		header["Set-Cookie"][i] = ownCookie(cookie)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write passes a part of the body on.
func (a *answer) Write(b []byte) (int, error) {
	if a.refused {
		return len(b), nil
	}
	if a.left -= int64(len(b)); a.left == 0 {
		a.end()
	}
	return a.ResponseWriter.Write(b)
}

// refuse answers in place of a redirect to another host.
func (a *answer) refuse(status int, to string) {
	a.refused = true
	u, err := url.Parse(to)
	if err != nil {
		u = &url.URL{Path: "…"}
	}
	u.User, u.Fragment = nil, ""
	if u.RawQuery != "" {
		u.RawQuery = "…" // it may hold a token
	}
	reason := fmt.Sprintf("status %d: the upstream redirects to %s, where nothing would bound the requests; have the upstream answer itself, or use the other address as the URL of the upstream", status, u)
	a.trial.fail("http_3xx", reason)
	a.end()
	clear(a.Header())
	explain(a.ResponseWriter, http.StatusBadGateway, reason)
}

// through returns the URL that leads through the proxy to the same resource. It reports
// whether it does: an URL of another host stays as it is.
func (a *answer) through(text string) (there string, ours bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return text, false
	case u.Host == "" && u.Scheme == "":
		return text, true // relative
	case u.Scheme != "" && u.Scheme != a.proxy.target.Scheme || !strings.EqualFold(hostPort(u, a.proxy.target.Scheme), hostPort(a.proxy.target, a.proxy.target.Scheme)):
		return text, false
	}
	u.Scheme, u.Host, u.User = "http", a.host, nil
	return u.String(), true
}

// hostPort returns the host and the port of a URL, which may be that of its scheme.
func hostPort(u *url.URL, scheme string) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// links returns a Link header whose URLs lead through the proxy.
func (a *answer) links(text string) string {
	parts := strings.Split(text, "<")
	for i, part := range parts[1:] {
		if to, rest, found := strings.Cut(part, ">"); found {
			there, _ := a.through(to)
			parts[i+1] = there + ">" + rest
		}
	}
	return strings.Join(parts, "<")
}

// ownCookie returns a cookie of the upstream for the proxy's address: without a domain
// and without the restriction to https.
func ownCookie(cookie string) string {
	parts := strings.Split(cookie, ";")
	kept := parts[:1]
	for _, part := range parts[1:] {
		name, _, _ := strings.Cut(part, "=")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "domain" && name != "secure" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ";")
}
