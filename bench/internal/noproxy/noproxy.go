// Package noproxy keeps child processes from sending requests for this machine
// to a proxy: with HTTP_PROXY set, most HTTP clients other than Go's do that.
//
//	NO_PROXY=db.example  becomes  NO_PROXY=db.example,127.0.0.1,::1,localhost
package noproxy

import (
	"runtime"
	"slices"
	"strings"
)

// loopback holds the names of this machine in URLs of servers under test.
var loopback = []string{"127.0.0.1", "::1", "localhost"}

// Environ returns environ with the loopback addresses added to NO_PROXY and
// no_proxy. Clients read either of them, so one that is not set gets the value
// of the other. "*", which bypasses the proxy for all hosts, stays alone.
func Environ(environ []string) []string {
	upper, lower := lookup(environ, "NO_PROXY"), lookup(environ, "no_proxy")
	if upper == "" {
		upper = lower
	}
	if lower == "" {
		lower = upper
	}
	return append(slices.Clip(environ), "NO_PROXY="+extended(upper), "no_proxy="+extended(lower))
}

// Variable returns the name of the first variable in environ that sets a proxy
// for http URLs, or "" if there is none. It never returns the value, which may
// hold a password.
func Variable(environ []string) string {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		if lookup(environ, name) != "" {
			return name
		}
	}
	return ""
}

// lookup returns the last value of the variable, which is the one in force.
func lookup(environ []string, name string) (value string) {
	for _, pair := range environ {
		n, v, _ := strings.Cut(pair, "=")
		if n == name || runtime.GOOS == "windows" && strings.EqualFold(n, name) {
			value = v
		}
	}
	return value
}

func extended(list string) string {
	var hosts []string
	for host := range strings.SplitSeq(list, ",") {
		if host = strings.TrimSpace(host); host != "" {
			hosts = append(hosts, host)
		}
	}
	if slices.Equal(hosts, []string{"*"}) {
		return "*"
	}
	for _, host := range loopback {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return strings.Join(hosts, ",")
}
