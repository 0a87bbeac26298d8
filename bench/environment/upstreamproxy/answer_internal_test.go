package upstreamproxy

import (
	"net/url"
	"strings"
	"testing"
)

// Headers of any content keep their texts apart from addresses of the upstream, and
// change no more when they pass a second time.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{
		`<https://api.example/v2?page=2>; rel="next"`, "https://API.example:443/x", "//api.example/", "<", "<>", "a<b>c<d", "id=1; Domain=a; secure; Path=/", ";", "",
	} {
		f.Add(seed)
	}
	base, err := url.Parse("https://api.example/v2")
	if err != nil {
		f.Fatal(err)
	}
	a := &answer{proxy: &Proxy{target: base}, host: "127.0.0.1:7"}
	f.Fuzz(func(t *testing.T, text string) {
		there, ours := a.through(text)
		if u, err := url.Parse(there); ours && (err != nil || u.Host != "" && u.Host != a.host) {
			t.Errorf("%q leads to %q", text, there)
		}
		if !ours && there != text {
			t.Errorf("%q of another host became %q", text, there)
		}
		links := a.links(text)
		if again := a.links(links); again != links {
			t.Errorf("links %q became %q and then %q", text, links, again)
		}
		cookie := ownCookie(text)
		if again := ownCookie(cookie); again != cookie || !strings.HasPrefix(cookie, strings.SplitN(text, ";", 2)[0]) {
			t.Errorf("cookie %q became %q and then %q", text, cookie, again)
		}
	})
}
