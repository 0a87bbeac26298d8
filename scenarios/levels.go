package scenarios

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
)

// Level is one point at which every variant runs.
type Level struct {
	// Name is canonical: the factors in the order of the file format, such as
	// "items=200 upstream.latency.median=20ms".
	Name string
	// Label is the name of its entry with the factors that the entry varies, which is
	// shorter than Name; empty means that the entry has no name.
	Label string
	// Factors maps the factors that the scenario's levels set, by their short names
	// if they have one ("items"), to the values of this level: int, float64 or text
	// (durations too, as "20ms").
	Factors map[string]any
	// Scenario is the scenario with the factors applied. It shares what they
	// do not change, so treat it as read-only.
	Scenario *Scenario
	// cells holds the path of each factor's value in Levels, by full path; for messages.
	cells map[string]string
	entry string // its entry of Levels
}

// ExpandLevels lists the levels of the scenario: entry by entry in the order of
// Levels, in an entry the factors in the order of the file format, the last one
// changing fastest, each with its values in their order. A factor that any
// entry sets is a factor of every level, with the scenario's own value where
// the entry does not set it. An invalid factor or value, a repeated level and more
// than MaxLevels levels are errors. A loaded scenario has none.
func (s *Scenario) ExpandLevels() ([]Level, error) {
	levels, problems := s.expand(s.Levels, "levels")
	if len(problems) > 0 {
		return nil, fmt.Errorf("expand the levels of scenario %q: %w", s.Name, problems)
	}
	return levels, nil
}

// levelNameKey is the key of an entry's name, beside its factors.
const levelNameKey = "name"

var levelNameRule = rule{name: true, doc: "Short name of the entry, for reports."}

// axis is a factor of one entry and its values.
type axis struct {
	factor factor
	values []any
	paths  []string // where each value stands
}

func (s *Scenario) expand(sets []LevelSet, path string) ([]Level, strictyaml.Errors) {
	var problems strictyaml.Errors
	entries := make([][]axis, len(sets))
	varied, total := map[string]bool{}, 0
	for i, set := range sets {
		var wrong strictyaml.Errors
		entries[i], wrong = s.axes(set, strictyaml.Index(path, i))
		problems = append(problems, wrong...)
		size := 1
		for _, a := range entries[i] {
			varied[a.factor.name] = true
			size = min(size*len(a.values), MaxLevels+1)
		}
		if total += size; total > MaxLevels {
			return nil, append(problems, problem(strictyaml.Index(path, i), "must have at most %d levels in total; remove values or entries", MaxLevels))
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	var names []string
	for _, f := range s.factors() {
		if varied[f.name] {
			names = append(names, f.name)
		}
	}
	var levels []Level
	first := map[string]string{}
	for i, axes := range entries {
		called, _ := sets[i][levelNameKey].(string)
		for _, l := range product(s, axes, names, strictyaml.Index(path, i)) {
			l.label(called, axes)
			if where, repeated := first[l.Name]; repeated {
				problems = append(problems, problem(l.cell(), "repeats the level %s of %s", strictyaml.Quote(l.Name), where))
				continue
			}
			first[l.Name] = l.entry
			levels = append(levels, l)
		}
	}
	return levels, problems
}

// axes returns the factors of an entry in the order of the file format.
func (s *Scenario) axes(set LevelSet, path string) ([]axis, strictyaml.Errors) {
	var axes []axis
	var problems strictyaml.Errors
	seen := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		at := strictyaml.Join(path, key)
		if key == levelNameKey {
			var called string
			if wrong := strictyaml.Assign(reflect.ValueOf(&called).Elem(), set[key], levelNameRule.constraints(reflect.TypeFor[string]())); wrong != nil {
				wrong.Path = at
				problems = append(problems, wrong)
			}
			continue
		}
		f, wrong := s.findFactor(key)
		if wrong != nil {
			wrong.Path, wrong.AtKey = at, true
			problems = append(problems, wrong)
			continue
		}
		if other, twice := seen[f.name]; twice {
			same := problem(at, "%s and %s are the same factor; remove one of them", strictyaml.Quote(other), strictyaml.Quote(key))
			same.AtKey = true
			problems = append(problems, same)
			continue
		}
		seen[f.name] = key
		a, wrongs := s.axis(f, set[key], at)
		axes, problems = append(axes, a), append(problems, wrongs...)
	}
	return inFileOrder(axes, s.factors()), problems
}

func inFileOrder(axes []axis, order []factor) []axis {
	position := func(x axis) int {
		return slices.IndexFunc(order, func(f factor) bool { return f.name == x.factor.name })
	}
	slices.SortFunc(axes, func(a, b axis) int { return cmp.Compare(position(a), position(b)) })
	return axes
}

func (s *Scenario) axis(f factor, v any, path string) (axis, strictyaml.Errors) {
	values, isList := v.([]any)
	if !isList {
		values = []any{v}
	}
	a := axis{factor: f, values: values}
	var problems strictyaml.Errors
	for i, value := range values {
		at := path
		if isList {
			at = strictyaml.Index(path, i)
		}
		a.paths = append(a.paths, at)
		if _, wrong := s.with(f, value); wrong != nil {
			wrong.Path = at
			problems = append(problems, wrong)
		}
	}
	if len(values) == 0 {
		problems = append(problems, problem(path, "must have at least one value"))
	}
	return a, problems
}

// product applies every combination of the axes' values, the last axis changing fastest.
func product(s *Scenario, axes []axis, names []string, entry string) []Level {
	levels := []Level{{Scenario: s, cells: map[string]string{}}}
	for _, a := range axes {
		var next []Level
		for _, l := range levels {
			for i, v := range a.values {
				changed, _ := l.Scenario.with(a.factor, v) // never fails, because axis has checked the value
				cells := map[string]string{fullPath(a.factor.name): a.paths[i]}
				for path, at := range l.cells {
					cells[path] = at
				}
				next = append(next, Level{Scenario: changed, cells: cells})
			}
		}
		levels = next
	}
	for i := range levels {
		levels[i].entry = entry
		levels[i].describe(names)
	}
	return levels
}

func (l *Level) describe(names []string) {
	l.Factors = make(map[string]any, len(names))
	words := make([]string, len(names))
	for i, name := range names {
		v, _ := l.Scenario.value(name)
		l.Factors[name] = v
		words[i] = name + "=" + text(v)
	}
	l.Name = strings.Join(words, " ")
}

// label names the level after its entry.
func (l *Level) label(called string, axes []axis) {
	if called == "" {
		return
	}
	words := []string{called}
	for _, a := range axes {
		if v, _ := l.Scenario.value(a.factor.name); len(a.values) > 1 {
			words = append(words, a.factor.name+"="+text(v))
		}
	}
	l.Label = strings.Join(words, " ")
}

// cell returns the path of the level's only value, or else of its entry.
func (l *Level) cell() string {
	if len(l.cells) == 1 {
		for _, at := range l.cells {
			return at
		}
	}
	return l.entry
}

// Selects reports whether the level has every value of where, which maps factors,
// by short name or path, to values.
func (l Level) Selects(where map[string]any) bool {
	for name, want := range where {
		f, field, ok := l.Scenario.locate(name)
		if !ok {
			return false
		}
		other, wrong := l.Scenario.with(f, want)
		if wrong != nil {
			return false
		}
		have := canonical(field)
		if sought, _ := other.value(name); !reflect.DeepEqual(have, sought) {
			return false
		}
	}
	return true
}

// Number returns the value of a factor as a number (a duration in seconds), or
// false if there is no such factor or it is a text.
func (l Level) Number(name string) (float64, bool) {
	v, ok := l.Value(name)
	if !ok {
		return 0, false
	}
	if s, isText := v.(string); isText {
		d, err := time.ParseDuration(s)
		return d.Seconds(), err == nil
	}
	switch n := v.(type) {
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func text(v any) string {
	if s, isText := v.(string); isText {
		return s
	}
	return strictyaml.Show(v)
}

// With returns the level with another value of a factor. An unknown factor, an invalid
// value and one that contradicts others are errors.
func (l Level) With(name string, value any) (Level, error) {
	f, wrong := l.Scenario.findFactor(name)
	if wrong != nil {
		return Level{}, wrong
	}
	changed, wrong := l.Scenario.with(f, value)
	if wrong != nil {
		return Level{}, wrong
	}
	if problems := changed.impossible(); len(problems) > 0 {
		return Level{}, problems
	}
	l.Scenario, l.Factors = changed, maps.Clone(l.Factors)
	l.Factors[f.name], _ = changed.value(f.name)
	names := slices.Collect(maps.Keys(l.Factors))
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(fileOrder(changed, a), fileOrder(changed, b)) })
	l.describe(names)
	return l, nil
}

// fileOrder returns the position of a factor in the order of the file format.
func fileOrder(s *Scenario, name string) int {
	return slices.IndexFunc(s.factors(), func(f factor) bool { return f.name == name })
}
