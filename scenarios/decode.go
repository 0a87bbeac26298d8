package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// place is where something stands in the file, both from 1.
type place struct{ line, column int }

// decoder fills a Scenario from a syntax tree. It goes on after a mistake and
// remembers where every value stands, by its path ("variants[2].limit").
type decoder struct {
	file   string
	places map[string]place
	keys   map[string]place // where the key stands, of paths that have one
	// failed are paths with a mistake, which later checks leave alone.
	failed map[string]bool
	errs   Errors
}

func newDecoder(file string) *decoder {
	return &decoder{file: file, places: map[string]place{}, keys: map[string]place{}, failed: map[string]bool{}}
}

// fail notes a mistake in a value, and that its path is not to be relied on.
func (d *decoder) fail(at place, path, message string) {
	d.failed[path] = true
	d.note(at, path, message)
}

func (d *decoder) note(at place, path, message string) {
	if path != "" {
		message = path + ": " + message
	}
	d.errs = append(d.errs, &Error{File: d.file, Line: max(at.line, 1), Column: max(at.column, 1), Message: message})
}

// present says whether the file holds the path.
func (d *decoder) present(path string) bool {
	_, ok := d.places[path]
	return ok
}

func (d *decoder) value(node ast.Node, path string, field reflect.Value, r rule) {
	at := begin(node)
	d.places[path] = at
	if why := unsupported(node); why != "" {
		d.fail(at, path, why)
		return
	}
	if isNull(node) {
		d.fail(at, path, "has no value; allowed: "+expected(field.Type(), r))
		return
	}
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	_, isScalar := scalar(node)
	switch {
	case field.Type() == serialType && isScalar:
		d.scalar(node, path, field.FieldByName("Fetch"), r)
	case field.Type() == thresholdType && isScalar:
		d.scalar(node, path, field.FieldByName("Rule"), ruleFor("Threshold", "rule"))
	case field.Kind() == reflect.Struct:
		d.mapping(node, path, field)
	case field.Kind() == reflect.Slice:
		d.list(node, path, field, r)
	case field.Kind() == reflect.Map:
		d.factors(node, path, field)
	default:
		d.scalar(node, path, field, r)
	}
}

func (d *decoder) scalar(node ast.Node, path string, field reflect.Value, r rule) {
	v, ok := scalar(node)
	if !ok {
		d.fail(begin(node), path, "is "+shape(node)+"; allowed: "+expected(field.Type(), r))
		return
	}
	if wrong := assign(field, v, r); wrong != "" {
		d.fail(begin(node), path, wrong)
	}
}

func (d *decoder) mapping(node ast.Node, path string, field reflect.Value) {
	keys := keysOf(field.Type())
	allowed := "a mapping with " + strings.Join(keys, ", ")
	if field.Type() == thresholdType {
		allowed = expected(thresholdType, rule{})
	}
	entries, ok := d.entries(node, path, allowed)
	if !ok {
		return
	}
	for _, e := range entries {
		i := slices.Index(keys, e.key)
		if i < 0 {
			d.note(e.at, path, unknown("unknown key", e.key, keys))
			if near := Nearest(e.key, keys); near != "" {
				d.failed[join(path, near)] = true // likely what was meant
			}
			continue
		}
		d.value(e.node, join(path, e.key), field.Field(i), ruleFor(field.Type().Name(), e.key))
	}
	for i, key := range keys {
		if required(field.Type().Field(i)) && !d.present(join(path, key)) && !d.failed[join(path, key)] {
			d.fail(begin(node), join(path, key), "missing; allowed: "+expected(field.Field(i).Type(), ruleFor(field.Type().Name(), key)))
		}
	}
}

func (d *decoder) list(node ast.Node, path string, field reflect.Value, r rule) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fail(begin(node), path, "is "+shape(node)+"; allowed: a list of "+plural(field.Type().Elem(), r))
		return
	}
	if len(sequence.Values) == 0 && !r.empty {
		d.fail(begin(node), path, "is an empty list; allowed: at least one entry")
		return
	}
	field.Set(reflect.MakeSlice(field.Type(), len(sequence.Values), len(sequence.Values)))
	for i, element := range sequence.Values {
		d.value(element, index(path, i), field.Index(i), r)
	}
	if names, ok := field.Interface().([]string); ok && r.variant {
		d.distinct(names, path)
	}
}

func (d *decoder) distinct(names []string, path string) {
	for i, name := range names {
		if first := slices.Index(names, name); first < i && !d.failed[index(path, i)] {
			d.fail(d.places[index(path, i)], index(path, i),
				fmt.Sprintf("%s is repeated; first on line %d; allowed: each name once", quote(name), d.places[index(path, first)].line))
		}
	}
}

// factors decodes a LevelSet, or the Where of a claim, without a look at what its keys mean.
func (d *decoder) factors(node ast.Node, path string, field reflect.Value) {
	entries, ok := d.entries(node, path, "a mapping of factors to values, such as {items: 200}")
	if !ok {
		return
	}
	if len(entries) == 0 {
		d.fail(begin(node), path, "is empty; allowed: at least one factor, such as {items: 200}")
		return
	}
	field.Set(reflect.MakeMap(field.Type()))
	lists := field.Type() == reflect.TypeFor[LevelSet]()
	for _, e := range entries {
		at := join(path, e.key)
		d.places[at] = begin(e.node)
		v, isScalar := scalar(e.node)
		sequence, isList := e.node.(*ast.SequenceNode)
		switch {
		case unsupported(e.node) != "":
			d.fail(begin(e.node), at, unsupported(e.node))
		case isNull(e.node):
			d.fail(begin(e.node), at, "has no value; allowed: "+oneValue(lists))
		case isScalar:
			field.SetMapIndex(reflect.ValueOf(e.key), reflect.ValueOf(v))
		case isList && lists:
			if values := d.scalars(sequence, at); values != nil {
				field.SetMapIndex(reflect.ValueOf(e.key), reflect.ValueOf(values))
			}
		default:
			d.fail(begin(e.node), at, "is "+shape(e.node)+"; allowed: "+oneValue(lists))
		}
	}
}

func oneValue(lists bool) string {
	if lists {
		return "one value or a list of values"
	}
	return "one value"
}

func (d *decoder) scalars(node *ast.SequenceNode, path string) []any {
	if len(node.Values) == 0 {
		d.fail(begin(node), path, "is an empty list; allowed: at least one value")
		return nil
	}
	values := make([]any, 0, len(node.Values))
	for i, element := range node.Values {
		at := index(path, i)
		d.places[at] = begin(element)
		v, ok := scalar(element)
		switch why := unsupported(element); {
		case why != "":
			d.fail(begin(element), at, why)
		case !ok:
			d.fail(begin(element), at, "is "+shape(element)+"; allowed: one value")
		default:
			values = append(values, v)
			continue
		}
		d.failed[path] = true
	}
	return values
}

// entry is one key of a mapping and its value.
type entry struct {
	key  string
	at   place
	node ast.Node
}

// entries are those of a mapping whose keys are text and not repeated; others are mistakes.
func (d *decoder) entries(node ast.Node, path, allowed string) ([]entry, bool) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		d.fail(begin(node), path, "is "+shape(node)+"; allowed: "+allowed)
		return nil, false
	}
	var found []entry
	for it := mapping.MapRange(); it.Next(); {
		at := begin(it.Key())
		text, isText := it.Key().(*ast.StringNode)
		switch {
		case it.Key().Type() == ast.MergeKeyType:
			d.fail(at, path, noAnchors)
			return nil, false
		case !isText:
			d.note(at, path, quote(it.Key().GetToken().Value)+" is not a key; allowed: "+allowed)
			continue
		}
		if i := slices.IndexFunc(found, func(e entry) bool { return e.key == text.Value }); i >= 0 {
			d.note(at, path, fmt.Sprintf("repeated key %s; first on line %d; allowed: each key once", quote(text.Value), found[i].at.line))
			continue
		}
		d.keys[join(path, text.Value)] = at
		found = append(found, entry{text.Value, at, it.Value()})
	}
	return found, true
}
