package scenarios

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"floodgate/mockupstream"
)

func TestParseItems(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		header     bool
		want       [][]string // nil means an error
		err        string
	}{
		"CSV":                     {file: "a.csv", text: "\ufeff1,x\r\n\r\n\"2\",\"a, b\"\r\n", want: [][]string{{"1", "x"}, {"2", "a, b"}}},
		"CSV with a header":       {file: "a.csv", text: "id,name\n1,x\n", header: true, want: [][]string{{"1", "x"}}},
		"ragged CSV":              {file: "a.csv", text: "1,x\n2\n", err: "a.csv:2: has 1 column, and line 1 has 2"},
		"ragged after a header":   {file: "a.csv", text: "id\n\n1,2\n", header: true, err: "a.csv:3: has 2 columns, and line 1 has 1"},
		"CSV with a stray quote":  {file: "a.csv", text: "1\nx\"y\n", err: `a.csv:2: column 2: bare " in non-quoted-field`},
		"a header alone":          {file: "a.csv", text: "id\n", header: true, err: "a.csv has no items"},
		"arrays":                  {file: "a.jsonl", text: "[\"a\", 1.50, true]\n\n[\"b\",2,false]", want: [][]string{{"a", "1.50", "true"}, {"b", "2", "false"}}},
		"objects":                 {file: "a.jsonl", text: "{\"id\": 1, \"from\": \"x\"}\n{\"from\": \"y\", \"id\": 2}\n", want: [][]string{{"1", "x"}, {"2", "y"}}},
		"a key that is missing":   {file: "a.jsonl", text: "{\"id\": 1, \"from\": \"x\"}\n{\"id\": 2}\n", err: `a.jsonl:2: has no "from", which line 1 has`},
		"a key more":              {file: "a.jsonl", text: "{\"id\": 1}\n{\"id\": 2, \"to\": 3}\n", err: `a.jsonl:2: has "to", which line 1 does not have`},
		"an array among objects":  {file: "a.jsonl", text: "{\"id\": 1}\n[2]\n", err: "a.jsonl:2: is an array, and line 1 is an object"},
		"ragged arrays":           {file: "a.jsonl", text: "[1,2]\n[3]\n", err: "a.jsonl:2: has 1 value, and line 1 has 2"},
		"null":                    {file: "a.jsonl", text: "[1]\n[null]\n", err: "a.jsonl:2: value 1 must be text, a number or a boolean"},
		"a list in a list":        {file: "a.jsonl", text: "[[1]]\n", err: "a.jsonl:1: value 1 must be text, a number or a boolean"},
		"text after an array":     {file: "a.jsonl", text: "[1] [2]\n", err: `a.jsonl:1: has text after the end of the value: "[2]"`},
		"a header of JSON":        {file: "a.jsonl", text: "[1]\n", header: true, err: "header applies to .csv files"},
		"another extension":       {file: "a.txt", text: "1\n", err: "a.txt is neither a .csv nor a .jsonl file"},
		"an empty file":           {file: "a.csv", err: "a.csv has no items"},
		"a file in UTF-16":        {file: "a.csv", text: "\xff\xfe1\x00", err: "UTF-16"},
		"text that is not UTF-8":  {file: "a.csv", text: "1\n\xff\n", err: "a.csv:2:1: "},
		"an object twice the key": {file: "a.jsonl", text: "{\"id\": 1, \"id\": 2}\n", err: "a.jsonl:1: "},
	} {
		got, err := parseItems(c.file, []byte(c.text), c.header)
		switch {
		case (err != nil) != (c.err != ""), err != nil && !strings.Contains(err.Error(), c.err):
			t.Errorf("%s: error %v, want %q", name, err, c.err)
		case err == nil && !slices.EqualFunc(got.args, c.want, slices.Equal[[]string]):
			t.Errorf("%s: got %q, want %q", name, got.args, c.want)
		}
	}
}

// Whatever a file holds, its items have as many arguments as the first, and a line.
func FuzzParseItems(f *testing.F) {
	for _, seed := range []string{"1,x\n2,y\n", "\"a\nb\",c\n", "[1,\"x\"]\n{\"a\":1}\n", "{\"id\":1}\n{\"id\":true}\n", "\ufeff", "a\x00b"} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, header bool) {
		for _, name := range []string{"a.csv", "a.jsonl"} {
			got, err := parseItems(name, []byte(text), header)
			if err != nil {
				if !strings.Contains(err.Error(), name) && !strings.HasPrefix(err.Error(), "header") {
					t.Errorf("the error does not name the file: %v", err)
				}
				continue
			}
			lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
			for i, args := range got.args {
				if len(args) == 0 || len(args) != len(got.args[0]) || got.lines[i] < 1 || got.lines[i] > lines {
					t.Errorf("%s: item %d is %q, on line %d of %d", name, i, args, got.lines[i], lines)
				}
			}
			_ = got.check(name, &mockupstream.ItemRequest{Path: "/x/{0}"})
		}
	})
}

const userAPI = `version: 1
name: customers
title: Calls of customers
items: {file: customers.csv}
upstream:
  request: {path: "/v2/{0}/calls?from={1}", headers: {Authorization: "Bearer ${TOKEN}"}}
  records: data.calls
  body: {file: answer.json}
variants: [{strategy: sequential}]
levels: [{items: 2}]
`

func loadUserAPI(t *testing.T, from, to string, files map[string]string) (*Scenario, error) {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"customers.csv": "1,2017\n2,2018\n", "answer.json": `{"data": {"calls": [{}, {}]}}`}
	for name, content := range files {
		all[name] = content
	}
	if !strings.Contains(userAPI, from) {
		t.Fatalf("%q is not in the scenario", from)
	}
	all["mine.yaml"] = strings.Replace(userAPI, from, to, 1)
	for name, content := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(filepath.Join(dir, "mine.yaml"))
}

func TestUserAPIMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		files    map[string]string
		want     string
	}{
		"a column too many":           {"from={1}", "from={2}", nil, "mine.yaml:6:19: upstream.request.path: {2} needs 3 columns, and items have 2 (want {0} to {1})"},
		"a column of phone numbers":   {"file: customers.csv", "kind: phone-numbers, count: 3", nil, "mine.yaml:6:19: upstream.request.path: {1} needs 2 columns, and items have 1 (want {0})"},
		"ragged rows":                 {"", "", map[string]string{"customers.csv": "1,2\n3\n"}, "customers.csv:2: has 1 column, and line 1 has 2"},
		"no such file":                {"customers.csv", "other.csv", nil, "mine.yaml:4:15: items.file: "},
		"no records in the answer":    {"", "", map[string]string{"answer.json": `{"data": {"items": []}}`}, `answer.json: records path "data.calls": no field "calls" in data, which has "items"`},
		"records that are not a list": {"", "", map[string]string{"answer.json": `{"data": {"calls": {}}}`}, `records path "data.calls": calls is an object, not a list`},
		"an answer that is not JSON":  {"", "", map[string]string{"answer.json": `{"data": `}, "mine.yaml:8:16: upstream.body.file: "},
		"no placeholder":              {"/v2/{0}/calls?from={1}", "/v2/calls", nil, "upstream.request.path: must hold the arguments of an item, {0} being the first column"},
		"no slash":                    {"/v2/{0}", "v2/{0}", nil, "upstream.request.path: must begin with a slash"},
		"a space":                     {"/v2/{0}", "/v2 /{0}", nil, "upstream.request.path: must not contain spaces or #"},
		"a placeholder as a name":     {"from={1}", "{1}=x", nil, `upstream.request.path: "{1}" is the name of a parameter`},
		"a placeholder in a header":   {"Bearer ${TOKEN}", "{0} ${TOKEN}", nil, "upstream.request.headers.Authorization: must not hold arguments of items"},
		"the host":                    {"Authorization", "host", nil, "upstream.request.headers.host: cannot be set: it belongs to the connection"},
		"a method":                    {"{path:", "{method: G T, path:", nil, `upstream.request.method: must be an HTTP method (got "G T")`},
		"an empty name":               {"data.calls", "data..calls", nil, "upstream.records: must be names of fields joined by dots"},
		"kind and file":               {"file: customers.csv", "file: customers.csv, kind: phone-numbers", nil, "items.file: items.kind and items.file are mutually exclusive"},
		"neither":                     {"file: customers.csv", "count: 3", nil, "items.kind: missing; it must be phone-numbers or date-ranges, unless there is a file"},
		"a header without a file":     {"file: customers.csv", "kind: date-ranges, count: 3, header: true", nil, "items.header: applies only to a file of items"},
		"more than the file has":      {"items: 2", "items: 3", nil, "mine.yaml:10:18: levels[0].items: must be at most 2, the items of customers.csv (got 3)"},
		"an empty segment":            {"", "", map[string]string{"customers.csv": "1,x\n,y\n"}, "customers.csv:2: its columns cannot be told apart"},
		"two items with one key":      {"", "", map[string]string{"customers.csv": "a/b,c\na,b/c\n"}, `customers.csv:2: has the key "a/b/c" of line 1, whose columns are others`},
		"columns that flow together":  {"/v2/{0}/calls?from={1}", "/v2/{0}-{1}", map[string]string{"customers.csv": "a,b\na-b,c\n"}, "customers.csv:2: its columns cannot be told apart"},
		"an answer and its size":      {"body: {file: answer.json}", "body: {file: answer.json, max_records: 3}", nil, "upstream.body.file: has the records of every answer"},
		"a factor that is not one":    {"levels: [{items: 2}]", "levels: [{items.file: customers.csv}]", nil, `unknown factor "items.file"`},
		"an empty argument in a path": {"  request: {path: \"/v2/{0}/calls?from={1}\", headers: {Authorization: \"Bearer ${TOKEN}\"}}\n", "", map[string]string{"customers.csv": "1,\n"}, "customers.csv:1: column {1} is empty"},
	} {
		_, err := loadUserAPI(t, c.from, c.to, c.files)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestUpstreamRequestFillsInTheEnvironment(t *testing.T) {
	s, err := loadUserAPI(t, "/v2/{0}/calls?from={1}", "/${TOKEN}/calls?from={1}&key=${TOKEN}", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.ItemArgs(); !slices.EqualFunc(got, [][]string{{"2017"}, {"2018"}}, slices.Equal[[]string]) {
		t.Errorf("items %q, want the second column alone", got)
	}
	set := func(string) (string, bool) { return "{0} /?&", true }
	r, err := s.UpstreamRequest(set)
	if err != nil {
		t.Fatal(err)
	}
	if r.Path != "/%7B0%7D%20%2F%3F&/calls?from={0}&key=%7B0%7D+%2F%3F%26" || r.Headers["Authorization"] != "Bearer {0} /?&" {
		t.Errorf("%+v", r)
	}
	if got := s.Secrets(set); !slices.Contains(got, "%7B0%7D+%2F%3F%26") || !slices.Contains(got, "{0} /?&") {
		t.Errorf("secrets %q", got)
	}
	_, err = s.UpstreamRequest(func(string) (string, bool) { return "", false })
	if want := "scenario customers: upstream.request.path: the environment variable TOKEN is not set"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// The example of the README loads, with its six items of any text.
func TestCustomersExample(t *testing.T) {
	s, err := Load("examples/customers/customers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if args := s.ItemArgs(); s.Items.Count != 6 || s.Upstream.Body.Count != 2 || !slices.Equal(args[3], []string{"Smith & Sons", "2017-01-01"}) {
		t.Errorf("%d items, %d records, %q", s.Items.Count, s.Upstream.Body.Count, args)
	}
}
