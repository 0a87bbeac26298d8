// Package strictyaml decodes YAML into Go structs and finds every mistake:
// unknown and duplicate keys, values of another type, values that a type's
// UnmarshalText rejects. Each error names file, line, column, path, the
// offending text, what is allowed and, for a key, the nearest name that exists.
//
// A file holds one document. Anchors, aliases, merge keys and tags are errors:
// a file says what it means at the place where it means it.
package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Document remembers where in a file each value was.
type Document struct {
	name  string
	lines map[string]*token.Position // by path
}

// decoder fills a value and collects what is wrong.
type decoder struct {
	doc  *Document
	errs []error
}

// Decode decodes src, called name in errors, into dst, a pointer to a struct
// whose fields have yaml tags. It understands structs, pointers, slices,
// strings, booleans, integers, floats and encoding.TextUnmarshaler.
func Decode(name string, src []byte, dst any) (*Document, error) {
	file, err := Parse(src)
	if err != nil {
		return nil, inFile(name, err)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, fmt.Errorf("%s:%d: a second document; allowed: one", name, doc.Body.GetToken().Position.Line)
		}
		body = doc.Body
	}
	target := reflect.ValueOf(dst).Elem()
	if body == nil {
		return nil, fmt.Errorf("%s: empty; allowed keys: %s", name, strings.Join(keys(target.Type()), ", "))
	}
	d := decoder{doc: &Document{name: name, lines: map[string]*token.Position{}}}
	d.value("", body, target)
	return d.doc, errors.Join(d.errs...)
}

// inFile precedes an error of Parse with the file's name.
func inFile(name string, err error) error {
	var at *SyntaxError
	if errors.As(err, &at) && at.Line > 0 {
		return fmt.Errorf("%s:%w", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Has reports whether the file has something at path, as FieldPath writes it.
func (doc *Document) Has(path string) bool { return doc.lines[path] != nil }

// Locate puts file, line and column before those errors joined in err that
// have a FieldPath: the place of the field, or of the nearest one around it.
func (doc *Document) Locate(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, doc.Locate(e))
		}
		return errors.Join(errs...)
	}
	var field interface{ FieldPath() string }
	if !errors.As(err, &field) {
		return err
	}
	for path := field.FieldPath(); ; path = path[:strings.LastIndexAny(path, ".[")] {
		if at, ok := doc.lines[path]; ok {
			return fmt.Errorf("%s:%d:%d: %w", doc.name, at.Line, at.Column, err)
		}
		if !strings.ContainsAny(path, ".[") {
			return fmt.Errorf("%s: %w", doc.name, err)
		}
	}
}

// start is where a node begins: a block mapping with its first key, where the
// parser has its colon.
func start(node ast.Node) *token.Position {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken().Position
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken().Position
	}
	return node.GetToken().Position
}

func (d *decoder) fail(path string, node ast.Node, format string, args ...any) {
	at := start(node)
	where := fmt.Sprintf("%s:%d:%d: ", d.doc.name, at.Line, at.Column)
	if path != "" {
		where += path + ": "
	}
	d.errs = append(d.errs, errors.New(where+fmt.Sprintf(format, args...)))
}

func (d *decoder) value(path string, node ast.Node, v reflect.Value) {
	if _, ok := d.doc.lines[path]; !ok { // a key's place is known already
		d.doc.lines[path] = start(node)
	}
	switch node.Type() {
	case ast.AnchorType, ast.AliasType, ast.TagType, ast.MergeKeyType:
		d.fail(path, node, "%q: anchors, aliases and tags are not allowed; write the value out", node.GetToken().Value)
		return
	case ast.NullType:
		d.fail(path, node, "no value; allowed: %s", describe(v.Type()))
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if scalar, ok := scalarText(node); !ok {
			d.fail(path, node, "%s; allowed: %s", kindOf(node), describe(v.Type()))
		} else if err := text.UnmarshalText([]byte(scalar)); err != nil {
			d.fail(path, node, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(path, node, v.Elem())
	case reflect.Struct:
		d.mapping(path, node, v)
	case reflect.Slice:
		d.sequence(path, node, v)
	default:
		d.scalar(path, node, v)
	}
}

func (d *decoder) mapping(path string, node ast.Node, v reflect.Value) {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		d.fail(path, node, "%s; allowed: a mapping with the keys %s", kindOf(node), strings.Join(keys(v.Type()), ", "))
		return
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		name, ok := scalarText(pair.Key)
		if !ok {
			d.fail(path, pair.Key, "%s as a key; allowed: %s", kindOf(pair.Key), strings.Join(keys(v.Type()), ", "))
			continue
		}
		at := name
		if path != "" {
			at = path + "." + name
		}
		field := fieldOf(v.Type(), name)
		switch {
		case seen[name]:
			d.fail(at, pair.Key, "key %q a second time; allowed: once", name)
		case field < 0:
			d.unknown(at, pair.Key, name, keys(v.Type()))
		default:
			d.doc.lines[at] = pair.Key.GetToken().Position
			d.value(at, pair.Value, v.Field(field))
		}
		seen[name] = true
	}
}

func (d *decoder) unknown(path string, key ast.Node, name string, allowed []string) {
	hint := ""
	if near := nearest(name, allowed); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	d.fail(path, key, "unknown key %q; allowed: %s%s", name, strings.Join(allowed, ", "), hint)
}

func (d *decoder) sequence(path string, node ast.Node, v reflect.Value) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fail(path, node, "%s; allowed: a list", kindOf(node))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		d.value(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i))
	}
}

// keys are the names of a struct's fields in YAML.
func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name := keyOf(t.Field(i)); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if !f.IsExported() || name == "-" {
		return ""
	}
	return name
}

// fieldOf is the index of the field with that name, -1: none.
func fieldOf(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if name != "" && keyOf(t.Field(i)) == name {
			return i
		}
	}
	return -1
}
