package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"floodgate/mockupstream"
	"floodgate/mockupstream/rng"
)

const phoneNumbers = 10_000_000 // of seven digits

// firstWeek is the start of date ranges: the first Monday of 2017.
var firstWeek = time.Date(2017, 1, 2, 0, 0, 0, 0, time.UTC)

// ItemArgs returns the arguments of every item: first the Items.Count distinct
// ones, then Count × Duplicates additional ones, rounded up, which repeat some of
// them, chosen by the seed. A phone number is "+1555" and seven digits derived from
// the seed. Date ranges are consecutive weeks with their first and last day, such
// as "2017-01-02" and "2017-01-08". Items of a file are its first Items.Count lines;
// if they repeat each other, so do the items. Only the columns that upstream.request
// holds are arguments.
func (s *Scenario) ItemArgs() [][]string {
	n := s.Items.Count
	repeated := s.Items.repeated()
	args := make([][]string, 0, n+repeated)
	number := newWalk(s.Seed, phoneNumbers)
	columns := columnsOf(s.Upstream.Request, s.Items.columns())
	for i := range n {
		if s.Items.File != "" {
			args = append(args, selected(s.Items.Args[i], columns))
			continue
		}
		if s.Items.Kind == "date-ranges" {
			from := firstWeek.AddDate(0, 0, 7*i)
			args = append(args, selected([]string{from.Format(time.DateOnly), from.AddDate(0, 0, 6).Format(time.DateOnly)}, columns))
			continue
		}
		args = append(args, []string{fmt.Sprintf("+1555%07d", number.at(i))})
	}
	again := newWalk(rng.At(s.Seed, 1), n)
	for i := range repeated {
		args = append(args, args[again.at(i)])
	}
	return args
}

// WarmupArgs returns the arguments of the items of sut.warmup: phone numbers or weeks that
// the trial does not have, or the lines of a file, over and over.
func (s *Scenario) WarmupArgs() [][]string {
	n := s.SUT.Warmup.Items
	if n == 0 {
		n = warmupRound
	}
	more := *s
	more.Items.Duplicates = 0
	if s.Items.Kind == "date-ranges" {
		more.Items.Count += n
		return more.ItemArgs()[s.Items.Count:]
	}
	args := make([][]string, n)
	if s.Items.File == "" {
		number := newWalk(s.Seed, phoneNumbers)
		for i := range args {
			args[i] = []string{fmt.Sprintf("+1555%07d", number.at(phoneNumbers-1-i))}
		}
		return args
	}
	all := more.ItemArgs()
	for i := range args {
		args[i] = all[i%len(all)]
	}
	return args
}

// columns returns the number of columns of the items; 0 means that it is unknown.
func (i Items) columns() int {
	switch {
	case i.File != "" && len(i.Args) == 0: // not read
		return 0
	case i.File != "":
		return len(i.Args[0])
	case i.Kind == "date-ranges":
		return 2
	}
	return 1
}

// columnsOf returns the columns that are arguments: those of the request, or all of
// them. It returns nil if the request holds one that is not there.
func columnsOf(request *mockupstream.ItemRequest, have int) []int {
	if request == nil {
		all := make([]int, have)
		for i := range all {
			all[i] = i
		}
		return all
	}
	columns := request.Columns()
	if len(columns) == 0 || columns[len(columns)-1] >= have {
		return nil
	}
	return columns
}

// selected returns the values of the columns.
func selected(all []string, columns []int) []string {
	if len(columns) == len(all) {
		return all
	}
	args := make([]string, len(columns))
	for i, column := range columns {
		args[i] = all[column]
	}
	return args
}

// recognized reports whether the mock can tell the arguments of an item from its
// request.
func recognized(route *mockupstream.Route, args []string) bool {
	u, err := url.Parse("http://127.0.0.1" + route.Target(args))
	if err != nil {
		return false
	}
	found, ok := route.Match(route.Method, u)
	return ok && slices.Equal(found, args) && !strings.Contains(u.EscapedPath(), "//")
}

// UpstreamRequest returns the request for an item as the SUT sends it: with the values
// of the environment, and with the numbers of arguments in place of columns. It is nil
// if the scenario has none. A variable that is not set is an error.
func (s *Scenario) UpstreamRequest(lookup func(name string) (string, bool)) (*mockupstream.ItemRequest, error) {
	if s.Upstream.Request == nil {
		return nil, nil
	}
	r := s.Upstream.Request.Renumbered()
	path, query, hasQuery := strings.Cut(r.Path, "?")
	escaped := func(escape func(string) string) func(string) (string, bool) {
		return func(name string) (string, bool) {
			v, ok := lookup(name)
			return escape(v), ok
		}
	}
	fail := func(at string, err error) (*mockupstream.ItemRequest, error) {
		return nil, fmt.Errorf("scenario %s: upstream.request.%s: %w", s.Name, at, err)
	}
	var err error
	if r.Path, err = ExpandEnvironment(path, escaped(url.PathEscape)); err != nil {
		return fail("path", err)
	}
	if hasQuery {
		if query, err = ExpandEnvironment(query, escaped(url.QueryEscape)); err != nil {
			return fail("path", err)
		}
		r.Path += "?" + query
	}
	r.Headers = maps.Clone(r.Headers)
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		value, err := ExpandEnvironment(Text(r.Headers[name]), lookup)
		if err != nil {
			return fail("headers."+name, err)
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return fail("headers."+name, errors.New("a value of the environment in it has a line break, which no header can hold"))
		}
		r.Headers[name] = value
	}
	return r, nil
}

// repeated returns the number of items that repeat an earlier one.
func (i Items) repeated() int { return int(math.Ceil(float64(i.Count)*i.Duplicates - 1e-9)) }

// walk visits every number below size once, in an order determined by the seed.
type walk struct{ offset, stride, size uint64 }

func newWalk(seed uint64, size int) walk {
	w := walk{size: uint64(max(size, 1))}
	w.offset, w.stride = rng.At(seed, 1)%w.size, rng.At(seed+1, 1)%w.size
	for gcd(w.stride, w.size) != 1 {
		w.stride++
	}
	return w
}

func (w walk) at(i int) int { return int((w.offset + uint64(i)*w.stride) % w.size) }

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
