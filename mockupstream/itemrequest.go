package mockupstream

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"floodgate/mockupstream/strictyaml"
)

// Values maps names to scalars: text, numbers and booleans.
type Values map[string]any

// ItemRequest is the request for an item, in place of GET /items/<arg>[/<arg>…]:
//
//	request:
//	  path: "/v2/customers/{0}/calls?from={1}"
//	  headers: {Authorization: "Bearer ${API_TOKEN}"}
//
// {0} is the first column of the items, {1} the second. The arguments of an item are
// the columns that the path holds, in the order of their numbers.
type ItemRequest struct {
	// Method defaults to GET.
	Method string `yaml:"method,omitempty" json:"method,omitempty"`
	// Path begins with a slash and may have a query. It contains {0} and further columns,
	// and may contain ${NAME} of the environment. Columns are escaped as required by
	// their place; the rest is sent unchanged.
	Path string `yaml:"path" json:"path"`
	// Headers by name; values may hold ${NAME} of the environment. The mock ignores them.
	Headers Values `yaml:"headers,omitempty" json:"headers,omitempty"`
}

var (
	column      = regexp.MustCompile(`\{(\d{1,4})\}`)
	environment = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)
	// variable matches the placeholders of a path.
	variable = regexp.MustCompile(column.String() + `|` + environment.String())
)

// Columns returns the numbers of the columns that the path holds, in ascending order.
func (r *ItemRequest) Columns() []int {
	var all []int
	for _, m := range column.FindAllStringSubmatch(r.Path, -1) {
		n, _ := strconv.Atoi(m[1]) // at most four digits
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Renumbered returns the request for the arguments of items instead of their columns:
// if its path holds {1} and {3}, that of the result holds {0} and {1}.
func (r *ItemRequest) Renumbered() *ItemRequest {
	columns := r.Columns()
	again := *r
	again.Path = column.ReplaceAllStringFunc(r.Path, func(found string) string {
		n, _ := strconv.Atoi(strings.Trim(found, "{}"))
		return fmt.Sprintf("{%d}", slices.Index(columns, n))
	})
	return &again
}

// problems returns the mistakes of the request, at field.
func (r *ItemRequest) problems(field string) (found []error) {
	say := func(key, format string, args ...any) {
		found = append(found, &strictyaml.Error{Path: strictyaml.Join(field, key), Reason: fmt.Sprintf(format, args...)})
	}
	if _, err := http.NewRequest(r.Method, "http://127.0.0.1/", nil); err != nil {
		say("method", "must be an HTTP method (got %s)", strictyaml.Quote(r.Method))
	}
	path, query, _ := strings.Cut(r.Path, "?")
	_, err := url.ParseRequestURI(variable.ReplaceAllString(r.Path, "x"))
	switch {
	case !strings.HasPrefix(path, "/"):
		say("path", "must begin with a slash (got %s)", strictyaml.Quote(r.Path))
	case strings.ContainsAny(r.Path, "# \t\r\n"):
		say("path", "must not contain spaces or #; write %%20 or %%23 (got %s)", strictyaml.Quote(r.Path))
	case err != nil || !isText(r.Path):
		say("path", "must be a path of a URL in UTF-8 (got %s)", strictyaml.Quote(r.Path))
	case len(r.Columns()) == 0:
		say("path", "must hold the arguments of an item, {0} being the first column (got %s)", strictyaml.Quote(r.Path))
	default:
		if _, err := url.ParseQuery(variable.ReplaceAllString(query, "x")); err != nil {
			say("path", "%v (got %s)", err, strictyaml.Quote(r.Path))
		}
		for pair := range strings.SplitSeq(query, "&") {
			if name, _, _ := strings.Cut(pair, "="); variable.MatchString(name) {
				say("path", "%s is the name of a parameter; arguments must stand in the path or in the value of a parameter", strictyaml.Quote(name))
			}
		}
	}
	for _, name := range sortedKeys(r.Headers) {
		at := "headers." + name
		switch _, isList := r.Headers[name].([]any); {
		case isList:
			say(at, "must be one value (got a list)")
		case !headerName.MatchString(name):
			say(at, "must be named by letters, digits and hyphens (got %s)", strictyaml.Quote(name))
		case slices.Contains([]string{"Host", "Content-Length", "Transfer-Encoding", "Connection"}, http.CanonicalHeaderKey(name)):
			say(at, "cannot be set: it belongs to the connection")
		case column.MatchString(fmt.Sprint(r.Headers[name])):
			say(at, "must not hold arguments of items, which stand in the path (got %s)", strictyaml.Quote(fmt.Sprint(r.Headers[name])))
		}
	}
	return found
}

// isText reports whether a path is valid UTF-8, even unescaped.
func isText(path string) bool {
	plain, err := url.PathUnescape(path)
	return utf8.ValidString(path) && err == nil && utf8.ValidString(plain)
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func sortedKeys(v Values) []string {
	keys := make([]string, 0, len(v))
	for key := range v {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Route renders and recognizes the requests for items.
type Route struct {
	// Method of the requests.
	Method string
	pieces []piece
	path   []pattern // of the segments
	query  []parameter
}

// piece is a part of the path and query.
type piece struct {
	text    string
	arg     int // the index of the argument; -1 means text
	inQuery bool
}

// pattern matches a segment or a value, unescaped; args holds the argument of each group.
type pattern struct {
	text *regexp.Regexp
	args []int
}

type parameter struct {
	name string
	pattern
}

// Route returns the route of a valid request.
func (r *ItemRequest) Route() *Route {
	columns := r.Columns()
	arg := func(text string) int {
		if m := column.FindStringSubmatch(text); m != nil && m[0] == text {
			n, _ := strconv.Atoi(m[1])
			return slices.Index(columns, n)
		}
		return -1
	}
	route := &Route{Method: cmp.Or(r.Method, http.MethodGet)}
	path, query, _ := strings.Cut(r.Path, "?")
	from := 0
	for _, at := range column.FindAllStringIndex(r.Path, -1) {
		route.pieces = append(route.pieces, piece{text: r.Path[from:at[0]], arg: -1}, piece{arg: arg(r.Path[at[0]:at[1]]), inQuery: at[0] > len(path)})
		from = at[1]
	}
	route.pieces = append(route.pieces, piece{text: r.Path[from:], arg: -1})
	match := func(text string, unescape func(string) (string, error)) pattern {
		var p pattern
		expr := "(?s)^"
		literal := func(part string) {
			if plain, err := unescape(part); err == nil {
				part = plain
			}
			expr += regexp.QuoteMeta(part)
		}
		from := 0
		for _, at := range variable.FindAllStringIndex(text, -1) {
			literal(text[from:at[0]])
			from = at[1]
			if i := arg(text[at[0]:at[1]]); i >= 0 {
				expr += "(.*?)"
				p.args = append(p.args, i)
			} else {
				expr += ".*?" // a value of the environment, which is unknown to the mock
			}
		}
		literal(text[from:])
		p.text = regexp.MustCompile(expr + "$")
		return p
	}
	for segment := range strings.SplitSeq(path, "/") {
		route.path = append(route.path, match(segment, url.PathUnescape))
	}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		route.query = append(route.query, parameter{name, match(value, url.QueryUnescape)})
	}
	return route
}

// Target returns path and query of the request for an item with the arguments.
func (r *Route) Target(args []string) string {
	var b strings.Builder
	for _, p := range r.pieces {
		switch {
		case p.arg < 0:
			b.WriteString(p.text)
		case p.arg >= len(args): // impossible for items of a valid scenario
		case p.inQuery:
			b.WriteString(url.QueryEscape(args[p.arg]))
		case strings.Trim(args[p.arg], ".") == "": // escaped, because "." and ".." are steps in a path
			b.WriteString(strings.ReplaceAll(args[p.arg], ".", "%2E"))
		default:
			b.WriteString(url.PathEscape(args[p.arg]))
		}
	}
	return b.String()
}

// Match returns the arguments of the item that a request is for, or false if it is not
// a request for an item. The order of the parameters of a query does not matter.
func (r *Route) Match(method string, u *url.URL) (args []string, ok bool) {
	segments := strings.Split(u.EscapedPath(), "/")
	values, err := url.ParseQuery(u.RawQuery)
	if method != r.Method || len(segments) != len(r.path) || err != nil {
		return nil, false
	}
	found := map[int]string{}
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil || !r.path[i].match(plain, found) {
			return nil, false
		}
	}
	for _, p := range r.query {
		given := values[p.name]
		if len(given) == 0 || !p.match(given[0], found) {
			return nil, false
		}
		if values[p.name] = given[1:]; len(given) == 1 {
			delete(values, p.name)
		}
	}
	if len(values) > 0 {
		return nil, false
	}
	args = make([]string, len(found))
	for i, arg := range found {
		args[i] = arg
	}
	return args, true
}

// match adds the arguments in text to found. An argument that occurs twice must be the
// same.
func (p pattern) match(text string, found map[int]string) bool {
	groups := p.text.FindStringSubmatch(text)
	if groups == nil {
		return false
	}
	for i, arg := range p.args {
		if first, twice := found[arg]; twice && first != groups[i+1] {
			return false
		}
		found[arg] = groups[i+1]
	}
	return true
}
