package scenarios

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"floodgate/mockupstream/strictyaml"
)

// PprofURL returns the URL of sut.pprof without a slash at its end. An HTTP service, whose
// URL is given, may name a path alone.
func (s SUT) PprofURL(service string) (string, error) {
	if strings.HasPrefix(s.Pprof, "/") {
		if service == "" {
			return "", errors.New("a path alone is for an HTTP service; name a URL, such as http://127.0.0.1:6060/debug/pprof")
		}
		u, err := url.Parse(s.Pprof)
		if err != nil || u.Host != "" || u.RawQuery != "" || u.Fragment != "" {
			return "", errors.New("must be a path without query and fragment, such as /debug/pprof")
		}
		return service + strings.TrimRight(s.Pprof, "/"), nil
	}
	u, err := url.Parse(s.Pprof)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("must be a path, or a URL without user, query and fragment, such as http://127.0.0.1:6060/debug/pprof")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); (err != nil || !addr.Unmap().IsLoopback()) && u.Hostname() != "localhost" {
		return "", errors.New("must be on this machine: 127.0.0.1, [::1] or localhost")
	}
	return strings.TrimRight(s.Pprof, "/"), nil
}

// pprof checks where profiles are served.
func (c *checker) pprof() {
	sut := c.s.SUT
	if sut.Pprof == "" {
		return
	}
	if !sut.OwnProgram() && !sut.Runs() {
		c.report("sut.pprof", "is for a program of your own; the built-in one has profiles without it")
		return
	}
	service := ""
	if c.s.IsHTTPService() {
		service = "http://service"
	}
	_, err := sut.PprofURL(service)
	switch {
	case err == nil:
	case strings.Contains(sut.Pprof, "@"): // it may hold a password
		c.report("sut.pprof", "%v", err)
	default:
		c.report("sut.pprof", "%v (got %s)", err, strictyaml.Quote(sut.Pprof))
	}
}
