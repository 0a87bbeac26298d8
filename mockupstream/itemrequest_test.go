package mockupstream_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"floodgate/mockupstream"
	_ "floodgate/mockupstream/rng/fixedseed"
)

// Match returns the arguments that Target rendered.
func TestRouteMatchesItsTargets(t *testing.T) {
	paths := []string{"/v2/customers/{0}/calls?from={1}", "/{1}?a={0}&b=x", "/a{0}.json?k=${KEY}-{1}", "/caf%C3%A9/{0}/{0}?x={1}&x={0}"}
	rapid.Check(t, func(t *rapid.T) {
		r := mockupstream.ItemRequest{Path: rapid.SampledFrom(paths).Draw(t, "path")}
		arg := rapid.StringN(1, 20, 60).Filter(func(s string) bool { return !strings.Contains(r.Path, "${") || !strings.Contains(s, "-") })
		args := []string{arg.Draw(t, "first"), arg.Draw(t, "second")}
		target := r.Route().Target(args)
		u, err := url.Parse("http://127.0.0.1" + target)
		if err != nil {
			t.Fatalf("%q: %v", target, err)
		}
		if got, ok := r.Route().Match("GET", u); !ok || !slices.Equal(got, args) {
			t.Fatalf("%q: %q %v, want %q", target, got, ok, args)
		}
	})
}

func TestRouteMatchesNothingElse(t *testing.T) {
	r := mockupstream.ItemRequest{Method: "POST", Path: "/v2/{0}/calls?from={1}&to=x"}
	for target, want := range map[string]bool{
		"/v2/a/calls?from=b&to=x":     true,
		"/v2/a/calls?to=x&from=b":     true, // the order of parameters does not matter
		"/v2/a%2Fb/calls?from=&to=x":  true,
		"/v2/a/b/calls?from=b&to=x":   false,
		"/v2/a/calls?from=b":          false,
		"/v2/a/calls?from=b&to=y":     false,
		"/v2/a/calls?from=b&to=x&z=1": false,
		"/v2/a/call?from=b&to=x":      false,
		"/v2/a/calls?from=b&to=x;y":   false,
	} {
		u, err := url.Parse("http://127.0.0.1" + target)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := r.Route().Match("POST", u); got != want {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
		if _, got := r.Route().Match("GET", u); got {
			t.Errorf("GET %s matches", target)
		}
	}
}

// The mock answers only the requests of the profile, with the user's answer.
func TestMockAnswersTheRequestsOfTheProfile(t *testing.T) {
	p := mockupstream.Profile{
		Request: &mockupstream.ItemRequest{Method: "POST", Path: "/v2/{0}/calls?from={1}"}, Records: "data.calls",
		Body: mockupstream.Body{Min: 2, Max: 2},
	}
	u, err := mockupstream.New(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	ask := func(method, target string) (int, string) {
		w := httptest.NewRecorder()
		u.ServeHTTP(w, httptest.NewRequest(method, target, nil))
		return w.Code, w.Body.String()
	}
	code, body := ask("POST", "/v2/a%2Fb/calls?from=c")
	if want := string(mockupstream.Answer(p, 1, "a/b/c")); code != http.StatusOK || body != want || !json.Valid([]byte(want)) {
		t.Errorf("%d %s, want %s", code, body, want)
	}
	if list, err := mockupstream.Records([]byte(body), p.RecordsPath()); err != nil || list.Kind() != '[' {
		t.Errorf("records %s, %v", list, err)
	}
	for _, other := range []string{"GET /v2/a/calls?from=c", "POST /v2/a/calls", "GET /items/a", "POST /stats"} {
		method, target, _ := strings.Cut(other, " ")
		if code, body := ask(method, target); code != http.StatusNotFound {
			t.Errorf("%s: %d %s", other, code, body)
		}
	}
	if code, _ := ask("GET", "/stats"); code != http.StatusOK || u.Stats().Requests != 1 {
		t.Errorf("GET /stats: %d, %d requests", code, u.Stats().Requests)
	}
	p.Records, p.Body = ".", mockupstream.Body{File: "x.json", Content: "[1, 2, 3]", Count: 3}
	if err := u.Set(p, 1); err != nil {
		t.Fatal(err)
	}
	if code, body := ask("POST", "/v2/a/calls?from="); code != http.StatusOK || body != "[1, 2, 3]" || p.Draw(1, "a/", 1).Records != 3 {
		t.Errorf("%d %s", code, body)
	}
	p.Body.Content = ""
	if err := u.Set(p, 1); err == nil || !strings.Contains(err.Error(), `body.file: the file "x.json" has not been read`) {
		t.Errorf("an answer that was not read: %v", err)
	}
}

func TestRecordsErrors(t *testing.T) {
	for answer, want := range map[string]string{
		`{"data": {"items": 1, "total": 2}}`: `records path "data.calls": no field "calls" in data, which has "items", "total"`,
		`{}`:                                 `records path "data.calls": no field "data" in the answer, which has none`,
		`[1]`:                                `records path "data.calls": the answer is a list, not an object with a field "data"`,
		`{"data": null}`:                     `records path "data.calls": data is null, not an object with a field "calls"`,
		`{"data": {"calls": "x"}}`:           `records path "data.calls": calls is text, not a list`,
		`{"data": `:                          "decode 9 bytes: ",
		`{"data": {"calls": []}} {}`:         "more than one JSON value",
		``:                                   "decode 0 bytes: ",
	} {
		if _, err := mockupstream.Records([]byte(answer), "data.calls"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", answer, err, want)
		}
	}
}

func FuzzRecords(f *testing.F) {
	for _, seed := range []string{`{"a":{"b":[1]}}`, `[{}]`, `{"a":1,"a":2}`, `{"a":[`, "\xff", `[1] `} {
		f.Add([]byte(seed), "a.b")
		f.Add([]byte(seed), ".")
	}
	f.Fuzz(func(t *testing.T, answer []byte, path string) {
		list, err := mockupstream.Records(answer, path)
		if err == nil && (!json.Valid(list) || list.Kind() != '[') {
			t.Errorf("%q at %q: %q", answer, path, list)
		}
	})
}

func FuzzItemRequest(f *testing.F) {
	for _, seed := range []string{"/v2/{0}/calls?from={1}", "/{0}{1}", "/{9999}?x=${A}", "/%zz/{0}", "//{0}", "/{0}?a;b", "/a?b=%{0}", "/{0}\x80", "/{0}%80"} {
		f.Add(seed, "a/b", "..")
	}
	f.Fuzz(func(t *testing.T, path, a, b string) {
		p := mockupstream.Profile{Request: &mockupstream.ItemRequest{Path: path}}
		if p.Validate() != nil {
			return
		}
		args := make([]string, len(p.Request.Columns()))
		for i := range args {
			args[i] = []string{a, b}[i%2]
		}
		u, err := url.Parse("http://127.0.0.1" + p.Request.Renumbered().Route().Target(args))
		if err != nil {
			t.Fatalf("%q: %v", path, err)
		}
		if got, ok := p.Request.Route().Match("GET", u); ok && len(got) != len(args) {
			t.Errorf("%q: %q, want %d arguments", path, got, len(args))
		}
	})
}
