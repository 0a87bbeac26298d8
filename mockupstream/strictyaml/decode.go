// Package strictyaml decodes YAML into Go structs and finds every mistake:
// unknown, repeated and missing keys, values of another type, and values that a
// type's UnmarshalText or the caller's [Rule] rejects. For example,
//
//	doc, err := strictyaml.Decode("mine.yaml", src, &settings, nil)
//
// of a file with two mistakes returns an error that prints as
//
//	mine.yaml:2:1: unknown key "limt" (did you mean "limit"? want name or limit)
//	mine.yaml:3:8: queue: must be a whole number (got "many")
//
// A file holds one document. Anchors, aliases, merge keys and tags are errors:
// each value stands where it applies.
package strictyaml

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Document records the position of each value in a file, by its path, and the
// mistakes of the file.
type Document struct {
	name   string
	places map[string]place
	keys   map[string]place // of the keys, of paths that have one
	failed map[string]bool  // paths with a mistake, whose values are unreliable
	errs   Errors
}

// place is a position in a file, counted from 1.
type place struct{ line, column int }

func placeOf(node ast.Node) place {
	t := begin(node)
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// Rules returns the rule for a field of a struct.
type Rules func(parent reflect.Type, field reflect.StructField) Rule

// Decode decodes src, called name in errors, into dst, a pointer to a struct
// whose fields have yaml tags. A field must be in the file unless its tag has
// omitempty or omitzero; the first field whose tag has short is set where the
// file has one value in place of the struct. It understands structs, pointers,
// slices, strings, booleans, integers, floats, encoding.TextUnmarshaler and
// map[string]any, whose values are scalars or lists of them. Nil rules mean that
// only the types restrict the values.
//
// The error is [Errors]. The document is nil if the file could not be parsed;
// otherwise dst holds the valid values.
func Decode(name string, src []byte, dst any, rules Rules) (*Document, error) {
	d := &decoder{Document: &Document{
		name: name, places: map[string]place{}, keys: map[string]place{}, failed: map[string]bool{},
	}, rules: rules, root: reflect.TypeOf(dst).Elem()}
	if rules == nil {
		d.rules = func(reflect.Type, reflect.StructField) Rule { return Rule{} }
	}
	target := reflect.ValueOf(dst).Elem()
	root, err := oneDocument(src, target.Type(), d)
	if err != nil {
		return nil, Errors{err.in(name)}
	}
	d.value(root, "", target, Rule{})
	return d.Document, d.Err()
}

func (e *Error) in(file string) *Error {
	e.File, e.Line, e.Column = file, max(e.Line, 1), max(e.Column, 1)
	return e
}

// oneDocument parses a file that holds a mapping.
func oneDocument(src []byte, t reflect.Type, d *decoder) (ast.Node, *Error) {
	file, err := Parse(src)
	if err != nil {
		var at *SyntaxError
		if !errors.As(err, &at) {
			return nil, &Error{Reason: err.Error(), Err: err}
		}
		return nil, &Error{Line: at.Line, Column: at.Column, Reason: at.Message, Err: err}
	}
	var root ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case root == nil:
			root = doc.Body
		default:
			d.fail(placeOf(doc.Body), "", &Error{Reason: "a file holds one document, and another begins here"})
		}
	}
	if root == nil {
		return nil, &Error{Reason: "the file is empty", Want: Keys(t)}
	}
	if _, isMapping := root.(ast.MapNode); !isMapping {
		at := placeOf(root)
		return nil, &Error{Line: at.line, Column: at.column, Value: shape(root), Reason: "the file must be a mapping with " + Or(Keys(t))}
	}
	return root, nil
}

// Err returns the mistakes found so far as [Errors], nil if there are none.
func (doc *Document) Err() error {
	if len(doc.errs) == 0 {
		return nil
	}
	doc.errs.sort()
	return doc.errs
}

// Has reports whether the file has a value at path.
func (doc *Document) Has(path string) bool {
	_, ok := doc.places[path]
	return ok
}

// Failed reports whether there is a mistake at exactly that path.
func (doc *Document) Failed(path string) bool { return doc.failed[path] }

// Line returns the line of the value at path, or of the nearest part around it.
func (doc *Document) Line(path string) int { return doc.placeOf(path).line }

func (doc *Document) placeOf(path string) place {
	for path != "" {
		if at, ok := doc.places[path]; ok {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return doc.places[""]
}

// Report adds the errors joined in err, each at the place of its path or of the
// nearest part around it. It omits an error at, in or around a path that already
// has one, because it most likely follows from that.
func (doc *Document) Report(err error) {
	for _, e := range Flatten(err) {
		if doc.doubtful(e.Path) {
			continue
		}
		where := doc.placeOf(e.Path)
		if key, ok := doc.keys[e.Path]; ok && e.AtKey {
			where = key
		}
		doc.fail(where, e.Path, e)
	}
}

func (doc *Document) doubtful(path string) bool {
	for failed := range doc.failed {
		if failed == path || within(failed, path) || within(path, failed) {
			return true
		}
	}
	return false
}

// within reports whether inner is a part of outer.
func within(inner, outer string) bool {
	rest, found := strings.CutPrefix(inner, outer)
	return found && outer != "" && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// fail adds an error about the value at path and marks the value as unreliable.
func (doc *Document) fail(at place, path string, e *Error) {
	doc.failed[path] = true
	doc.note(at, path, e)
}

// note adds an error at path without marking the value as unreliable.
func (doc *Document) note(at place, path string, e *Error) {
	e.Path, e.Line, e.Column = path, at.line, at.column
	doc.errs = append(doc.errs, e.in(doc.name))
}

// decoder fills a value and continues after mistakes.
type decoder struct {
	*Document
	rules Rules
	root  reflect.Type // of the whole file
}

func (d *decoder) value(node ast.Node, path string, field reflect.Value, r Rule) {
	at := placeOf(node)
	d.places[path] = at
	if why := unsupported(node); why != "" {
		d.fail(at, path, &Error{Reason: why})
		return
	}
	if isNull(node) {
		d.fail(at, path, &Error{Reason: "has no value; it must be " + d.want(field.Type(), r)})
		return
	}
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	v, isScalar := scalarOf(node)
	kind := field.Kind()
	if short := shortOf(field.Type()); isScalar && short >= 0 {
		r = d.rules(field.Type(), field.Type().Field(short))
		field, kind = field.Field(short), reflect.Invalid
	}
	switch {
	case isScalar && kind != reflect.Struct && kind != reflect.Slice && kind != reflect.Map:
		if wrong := Assign(field, v, r); wrong != nil {
			d.fail(at, path, wrong)
		}
	case kind == reflect.Struct:
		d.mapping(node, path, field)
	case kind == reflect.Slice:
		d.list(node, path, field, r)
	case kind == reflect.Map:
		d.factors(node, path, field)
	default:
		d.mismatch(node, path, d.want(field.Type(), r))
	}
}

// want describes a valid value for a field of the type.
func (d *decoder) want(t reflect.Type, r Rule) string {
	if short := shortOf(t); short >= 0 {
		f := t.Field(short)
		return d.rules(t, f).want(f.Type) + ", or a mapping with " + Or(Keys(t))
	}
	return r.want(t)
}

func (d *decoder) mismatch(node ast.Node, path, want string) {
	d.fail(placeOf(node), path, &Error{Value: shape(node), Reason: "must be " + want})
}

func (d *decoder) mapping(node ast.Node, path string, field reflect.Value) {
	t := field.Type()
	entries, ok := d.entries(node, path, d.want(t, Rule{}))
	if !ok {
		return
	}
	keys := Keys(t)
	for _, e := range entries {
		i := fieldOf(t, e.key)
		if i < 0 {
			unknown := Unknown("key", e.key, keys)
			if path != "" && fieldOf(d.root, e.key) >= 0 {
				unknown.Reason += ", which belongs at the top level of the file"
				unknown.Nearest = ""
				d.failed[e.key] = true // it is there, though elsewhere
			}
			d.note(e.at, path, unknown)
			if unknown.Nearest != "" {
				d.failed[Join(path, unknown.Nearest)] = true // the key that was probably meant
			}
			continue
		}
		d.value(e.node, Join(path, e.key), field.Field(i), d.rules(t, t.Field(i)))
	}
	for _, key := range keys {
		f := t.Field(fieldOf(t, key))
		if at := Join(path, key); Required(f) && !d.Has(at) && !d.failed[at] {
			d.fail(placeOf(node), at, &Error{Reason: "missing; it must be " + d.want(f.Type, d.rules(t, f))})
		}
	}
}

func (d *decoder) list(node ast.Node, path string, field reflect.Value, r Rule) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.mismatch(node, path, "a list")
		return
	}
	if len(sequence.Values) == 0 && r.NonEmpty {
		d.fail(placeOf(node), path, &Error{Reason: "must have at least one entry"})
		return
	}
	field.Set(reflect.MakeSlice(field.Type(), len(sequence.Values), len(sequence.Values)))
	for i, element := range sequence.Values {
		d.value(element, Index(path, i), field.Index(i), r)
	}
	names, isText := field.Interface().([]string)
	for i, name := range names {
		at := Index(path, i)
		if first := slices.Index(names, name); isText && r.Distinct && first < i && !d.failed[at] {
			d.fail(d.places[at], at, &Error{Reason: fmt.Sprintf("repeats %s, first on line %d", Quote(name), d.Line(Index(path, first)))})
		}
	}
}

// factors decodes a map[string]any, whatever its keys mean.
func (d *decoder) factors(node ast.Node, path string, field reflect.Value) {
	entries, ok := d.entries(node, path, "a mapping of names to values")
	if !ok {
		return
	}
	if len(entries) == 0 {
		d.fail(placeOf(node), path, &Error{Reason: "must have at least one entry, such as {items: 200}"})
		return
	}
	field.Set(reflect.MakeMap(field.Type()))
	for _, e := range entries {
		if v, ok := d.scalars(e.node, Join(path, e.key)); ok {
			field.SetMapIndex(reflect.ValueOf(e.key), reflect.ValueOf(v))
		}
	}
}

// scalars decodes a scalar or a list of scalars.
func (d *decoder) scalars(node ast.Node, path string) (any, bool) {
	sequence, isList := node.(*ast.SequenceNode)
	if !isList {
		return d.oneScalar(node, path, "must be a value or a list of values")
	}
	d.places[path] = placeOf(node)
	if len(sequence.Values) == 0 {
		d.fail(placeOf(node), path, &Error{Reason: "must have at least one value"})
		return nil, false
	}
	values, all := make([]any, 0, len(sequence.Values)), true
	for i, element := range sequence.Values {
		v, ok := d.oneScalar(element, Index(path, i), "must be one value")
		values, all = append(values, v), all && ok
	}
	if !all {
		d.failed[path] = true
	}
	return values, all
}

func (d *decoder) oneScalar(node ast.Node, path, reason string) (any, bool) {
	d.places[path] = placeOf(node)
	v, ok := scalarOf(node)
	if why := unsupported(node); why != "" {
		d.fail(placeOf(node), path, &Error{Reason: why})
	} else if !ok {
		d.fail(placeOf(node), path, &Error{Value: shape(node), Reason: reason})
	}
	return v, ok
}

// entry is one key of a mapping and its value.
type entry struct {
	key  string
	at   place
	node ast.Node
}

// entries returns the entries of a mapping; keys that are not text or are repeated are mistakes.
func (d *decoder) entries(node ast.Node, path, want string) ([]entry, bool) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		d.mismatch(node, path, want)
		return nil, false
	}
	var found []entry
	for it := mapping.MapRange(); it.Next(); {
		at := placeOf(it.Key())
		text, isText := it.Key().(*ast.StringNode)
		switch {
		case it.Key().Type() == ast.MergeKeyType:
			d.fail(at, path, &Error{Reason: noAnchors})
			return nil, false
		case !isText:
			d.note(at, path, &Error{Reason: "a key must be text", Value: Quote(it.Key().GetToken().Value)})
			continue
		}
		if i := slices.IndexFunc(found, func(e entry) bool { return e.key == text.Value }); i >= 0 {
			d.note(at, path, &Error{Reason: fmt.Sprintf("repeats key %s, first on line %d", Quote(text.Value), found[i].at.line)})
			continue
		}
		d.keys[Join(path, text.Value)] = at
		found = append(found, entry{text.Value, at, it.Value()})
	}
	return found, true
}

// Keys lists the keys of a struct's fields in the order of the struct.
func Keys(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := keyOf(t.Field(i)); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if !f.IsExported() || key == "-" {
		return ""
	}
	return key
}

// fieldOf returns the index of the field with that key, or -1.
func fieldOf(t reflect.Type, key string) int {
	for i := range t.NumField() {
		if key != "" && keyOf(t.Field(i)) == key {
			return i
		}
	}
	return -1
}

// Required reports whether the file must hold the field.
func Required(f reflect.StructField) bool {
	return !strings.Contains(f.Tag.Get("yaml"), ",omit")
}

// shortOf returns the index of the field that is set by one value in place of the struct, or -1.
func shortOf(t reflect.Type) int {
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			if strings.HasSuffix(t.Field(i).Tag.Get("yaml"), ",short") {
				return i
			}
		}
	}
	return -1
}

// Join appends a key to a path: "sut.nofile".
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Index appends the position of a list's element to a path: "variants[2]".
func Index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
