package noproxy_test

import (
	"runtime"
	"slices"
	"testing"

	"floodgate/bench/internal/noproxy"
)

func TestLoopbackNeedsNoProxy(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the two names are one variable on Windows")
	}
	for name, test := range map[string]struct {
		environ      []string
		upper, lower string
	}{
		"neither":         {[]string{"A=b"}, "127.0.0.1,::1,localhost", "127.0.0.1,::1,localhost"},
		"one of them":     {[]string{"NO_PROXY=db.example, .corp"}, "db.example,.corp,127.0.0.1,::1,localhost", "db.example,.corp,127.0.0.1,::1,localhost"},
		"the other":       {[]string{"no_proxy=db.example"}, "db.example,127.0.0.1,::1,localhost", "db.example,127.0.0.1,::1,localhost"},
		"both":            {[]string{"NO_PROXY=a", "no_proxy=b"}, "a,127.0.0.1,::1,localhost", "b,127.0.0.1,::1,localhost"},
		"some there":      {[]string{"NO_PROXY=localhost,127.0.0.1"}, "localhost,127.0.0.1,::1", "localhost,127.0.0.1,::1"},
		"all hosts":       {[]string{"NO_PROXY=*"}, "*", "*"},
		"empty":           {[]string{"NO_PROXY=", "no_proxy="}, "127.0.0.1,::1,localhost", "127.0.0.1,::1,localhost"},
		"the last counts": {[]string{"NO_PROXY=a", "NO_PROXY=b"}, "b,127.0.0.1,::1,localhost", "b,127.0.0.1,::1,localhost"},
	} {
		before := slices.Clone(test.environ)
		got := noproxy.Environ(test.environ)
		want := append(before, "NO_PROXY="+test.upper, "no_proxy="+test.lower)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestTheVariableIsNamedWithoutItsValue(t *testing.T) {
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"none":      {[]string{"NO_PROXY=a", "HTTPS_PROXY=http://a"}, ""},
		"upper":     {[]string{"HTTP_PROXY=http://user:secret@a"}, "HTTP_PROXY"},
		"lower":     {[]string{"http_proxy=http://a"}, "http_proxy"},
		"all":       {[]string{"all_proxy=socks5://a"}, "all_proxy"},
		"set empty": {[]string{"HTTP_PROXY="}, ""},
	} {
		if runtime.GOOS == "windows" && (name == "lower" || name == "all") {
			continue
		}
		if got := noproxy.Variable(test.environ); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
