package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"floodgate/bench/environment/target"
)

// receiver is a server to which snapshots are pushed.
type receiver struct {
	url    string
	client *http.Client
	answer *answer
	scrub  target.Scrubber
	export func(context.Context, []snapshot) error
	close  func()
}

// newReceiver parses the URL and the headers of a receiver. Its host must be allowed.
func newReceiver(ctx context.Context, raw, path string, headers []string, policy target.Policy) (*receiver, error) {
	u, err := parseURL(raw, path)
	if err != nil {
		return nil, err
	}
	var refused *target.RefusedError
	lookup, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// A name that cannot be resolved now is a receiver that is down.
	if err := policy.Check(lookup, u.Hostname()); errors.As(err, &refused) {
		return nil, fmt.Errorf("%s is not this machine; to send metrics to it, use %s %s", refused.Host, target.Flag, refused.Host)
	}
	a := &answer{header: http.Header{}}
	var secrets []string
	for _, flag := range headers {
		name, variable, ok := strings.Cut(flag, "=")
		if !ok || name == "" || variable == "" {
			return nil, fmt.Errorf("header %q: want HEADER=VARIABLE, the name of an environment variable with the value", name)
		}
		value := os.Getenv(variable)
		if value == "" {
			return nil, fmt.Errorf("header %s: the environment variable %s is empty or not set", name, variable)
		}
		if strings.ContainsAny(name+value, "\r\n\x00") || strings.ContainsAny(name, " :\t") {
			return nil, fmt.Errorf("header %s: the name or the value in %s is not valid in HTTP", name, variable)
		}
		a.header.Add(name, value)
		secrets = append(secrets, value)
		if _, token, ok := strings.Cut(value, " "); ok { // without "Bearer"
			secrets = append(secrets, token)
		}
	}
	transport := &http.Transport{DialContext: policy.DialContext, MaxIdleConns: 1, TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true}
	a.to = transport
	// A redirect could lead the headers elsewhere.
	client := &http.Client{Transport: a, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &receiver{url: u.String(), client: client, answer: a, scrub: target.NewScrubber(secrets), close: transport.CloseIdleConnections}, nil
}

// parseURL parses the URL of a receiver, which gets the path if it has none. Errors do not
// quote the URL, which may contain a secret.
func parseURL(raw, path string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("want a URL like http://127.0.0.1:4318 or https://metrics.example" + path)
	case u.User != nil:
		return nil, errors.New("the URL contains a user or password, which others can see in the list of processes: send it as a header, from an environment variable")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("want a URL without query and fragment; a secret belongs into a header, from an environment variable")
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("want a port from 1 to 65535 in the URL")
		}
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = path
	}
	return u, nil
}

// send exports snapshots once. The error is a *failure.
func (r *receiver) send(ctx context.Context, batch []snapshot) error {
	r.answer.status, r.answer.after = 0, 0
	err := r.export(ctx, batch)
	if err == nil {
		return nil
	}
	return &failure{text: shorten(r.scrub.Scrub(err.Error())), permanent: permanent(r.answer.status), after: r.answer.after}
}

// failure reports that a receiver did not accept snapshots.
type failure struct {
	text      string
	permanent bool          // whether it would not accept them later either
	after     time.Duration // for which the receiver wants to be left alone
}

func (f *failure) Error() string { return f.text }

// permanent reports whether a request with this status must not be repeated; 0 means that
// there was no answer. A receiver that accepts a part answers 200.
func permanent(status int) bool {
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

// shorten returns a text as one line of bounded length.
func shorten(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

// answer adds headers to the requests of one client and remembers the last answer. The
// requests are sequential.
type answer struct {
	to     http.RoundTripper
	header http.Header
	status int
	after  time.Duration
}

// RoundTrip implements http.RoundTripper.
func (a *answer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, values := range a.header {
		r.Header[name] = values
	}
	resp, err := a.to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	a.status, a.after = resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"))
	return resp, nil
}

// retryAfter parses a header Retry-After; what it does not understand is 0.
func retryAfter(text string) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
