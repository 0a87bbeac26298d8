package scenarios

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
)

// factorRoots are the parts of a scenario whose scalar fields are factors.
var factorRoots = []string{"items", "upstream", "database", "sut", "service"}

// aliases are short names of factors, by their full path.
var aliases = map[string]string{"items.count": "items", "sut.container.built_in": "sut.container"}

// alias returns the name of a factor in levels: the short name if there is one.
func alias(path string) string {
	if short, ok := aliases[path]; ok {
		return short
	}
	return path
}

func fullPath(name string) string {
	for path, short := range aliases {
		if name == short {
			return path
		}
	}
	return name
}

// factor is a scalar field that levels may vary.
type factor struct {
	name string // the alias where there is one
	typ  reflect.Type
	rule rule
}

// factors returns the factors of a scenario in the order of its file. Fields of
// parts that the scenario omits (such as a capacity) are not factors.
func (s *Scenario) factors() []factor {
	var found []factor
	root := reflect.ValueOf(s).Elem()
	for i, key := range strictyaml.Keys(root.Type()) {
		if slices.Contains(factorRoots, key) {
			found = appendFactors(found, key, root.Field(i), ruleFor("Scenario", key))
		}
	}
	return found
}

func appendFactors(found []factor, path string, v reflect.Value, r rule) []factor {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return appendFactors(found, path, v.Elem(), r)
	case v.Kind() == reflect.Struct:
		for i, key := range strictyaml.Keys(v.Type()) {
			found = appendFactors(found, strictyaml.Join(path, key), v.Field(i), ruleFor(v.Type().Name(), key))
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			found = appendFactors(found, strictyaml.Join(path, strconv.Itoa(i)), v.Index(i), r)
		}
	case isFactor(path, v.Type()):
		found = append(found, factor{alias(path), v.Type(), r})
	}
	return found
}

// isFactor excludes lists and mappings, files that are read once, when the scenario
// is loaded, and what identifies an HTTP service and its requests.
func isFactor(path string, t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer, reflect.Struct, reflect.Map:
		return false
	}
	for _, fixed := range []string{"sut.ready.", "sut.metrics.", "sut.pprof", "sut.addr", "sut.container.image", "sut.container.port", "sut.pid", "sut.port", "sut.host", "service.requests.", "service.success.", "service.targets", "service.tls.",
		"items.file", "items.header", "upstream.request.", "upstream.records", "upstream.body.file"} {
		if path == fixed || strings.HasSuffix(fixed, ".") && strings.HasPrefix(path, fixed) {
			return false
		}
	}
	return !strings.HasSuffix(path, ".latency.file")
}

// findFactor returns the factor of that name or path, or the error about the name.
func (s *Scenario) findFactor(name string) (factor, *strictyaml.Error) {
	if f, _, ok := s.locate(name); ok {
		return f, nil
	}
	var names []string
	for _, f := range s.factors() {
		names = append(names, f.name)
	}
	if part := s.absent(fullPath(name)); part != "" {
		return factor{}, problem("", "unknown factor %s: this scenario has no %s; add it to vary it", strictyaml.Quote(name), part)
	}
	unknown := strictyaml.Unknown("factor", name, names)
	unknown.Want = siblings(name, names)
	return factor{}, unknown
}

// locate finds the factor of that name or path, and its field.
func (s *Scenario) locate(name string) (f factor, field reflect.Value, ok bool) {
	keys := strings.Split(fullPath(name), ".")
	if !slices.Contains(factorRoots, keys[0]) {
		return factor{}, reflect.Value{}, false
	}
	field = reflect.ValueOf(s).Elem()
	for _, key := range keys {
		if field.Kind() == reflect.Struct {
			f.rule = ruleFor(field.Type().Name(), key)
		}
		if field, ok = child(field, key); !ok {
			return factor{}, reflect.Value{}, false
		}
	}
	f.name, f.typ = alias(fullPath(name)), field.Type()
	return f, field, isFactor(fullPath(name), field.Type())
}

// siblings returns the factors in the innermost part of a name, or the parts
// themselves: a list of all factors would be too long.
func siblings(name string, names []string) []string {
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
		near := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, name[:i+1]) })
		if len(near) > 0 {
			return near
		}
	}
	return []string{"items", "the path of a number, duration or text in " + strictyaml.Or(factorRoots) + ", such as upstream.latency.median"}
}

// absent returns the part of the path that the scenario omits, or "".
func (s *Scenario) absent(path string) string {
	v, part, walked := reflect.ValueOf(s).Elem(), "", ""
	for _, key := range strings.Split(path, ".") {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				part, v = cmp.Or(part, walked), reflect.New(v.Type().Elem())
			}
			v = v.Elem()
		}
		switch v.Kind() {
		case reflect.Slice:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || v.Type().Elem().Kind() != reflect.Struct {
				return ""
			}
			if i >= v.Len() {
				part, v = cmp.Or(part, strictyaml.Join(walked, key)), reflect.MakeSlice(v.Type(), 1, 1)
				i = 0
			}
			v = v.Index(i)
		case reflect.Struct:
			i := slices.Index(strictyaml.Keys(v.Type()), key)
			if i < 0 {
				return ""
			}
			v = v.Field(i)
		default:
			return ""
		}
		walked = strictyaml.Join(walked, key)
	}
	return part
}

// Value returns the value of a factor at this level: an int, a float64, a text or
// a duration as text. It returns false if there is no such factor.
func (l Level) Value(name string) (any, bool) { return l.Scenario.value(name) }

func (s *Scenario) value(name string) (any, bool) {
	_, field, ok := s.locate(name)
	if !ok {
		return nil, false
	}
	return canonical(field), true
}

// with returns a copy of the scenario with another value of a factor, or the error
// about the value. The copy shares everything else.
func (s *Scenario) with(f factor, v any) (*Scenario, *strictyaml.Error) {
	changed := *s
	field := reflect.ValueOf(&changed).Elem()
	for _, key := range strings.Split(fullPath(f.name), ".") {
		unshare(field)
		field, _ = child(field, key) // never fails, because locate has found the field
	}
	if wrong := strictyaml.Assign(field, widen(v), f.rule.constraints(f.typ)); wrong != nil {
		return nil, wrong
	}
	return &changed, nil
}

// child returns the field of a struct or the element of a list, through a pointer if there is one.
func child(v reflect.Value, key string) (reflect.Value, bool) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	i := -1
	switch v.Kind() {
	case reflect.Struct:
		i = slices.Index(strictyaml.Keys(v.Type()), key)
	case reflect.Slice:
		if n, err := strconv.Atoi(key); err == nil && strconv.Itoa(n) == key && n < v.Len() {
			i = n
		}
	}
	switch {
	case i < 0:
		return reflect.Value{}, false
	case v.Kind() == reflect.Slice:
		v = v.Index(i)
	default:
		v = v.Field(i)
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return reflect.Value{}, false
	}
	return v, true
}

// unshare replaces a pointer or a list by a copy.
func unshare(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		fresh.Elem().Set(v.Elem())
		v.Set(fresh)
	case reflect.Slice:
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(fresh, v)
		v.Set(fresh)
	}
}

// canonical returns a field's value in the form of a level: a duration as text and
// whole numbers as int, so that equal values compare as equal.
func canonical(field reflect.Value) any {
	switch {
	case field.Type() == durationType:
		return time.Duration(field.Int()).String()
	case field.Type() == bytesType:
		return Bytes(field.Int()).String()
	case field.Kind() == reflect.Int:
		return int(field.Int())
	}
	return field.Interface()
}

// widen converts the scalars of Go and of JSON to those of strictyaml.Assign.
func widen(v any) any {
	switch n := v.(type) {
	case int:
		return int64(n)
	case Duration:
		return time.Duration(n).String()
	case time.Duration:
		return n.String()
	}
	return v
}

// Types with a special form in the file.
var (
	durationType  = reflect.TypeFor[Duration]()
	bytesType     = reflect.TypeFor[Bytes]()
	percentType   = reflect.TypeFor[Percent]()
	serialType    = reflect.TypeFor[Serial]()
	thresholdType = reflect.TypeFor[Threshold]()
)
