package scenarios

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"floodgate/mockupstream/strictyaml"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// begin is where a node begins in the file.
func begin(node ast.Node) place {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return begin(n.Values[0].Key)
		}
		return at(n.Start)
	case *ast.MappingValueNode:
		return begin(n.Key)
	case nil:
		return place{1, 1}
	}
	return at(node.GetToken())
}

func at(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{t.Position.Line, t.Position.Column}
}

// ambiguous is a number as it was written, with a leading zero: 010 may mean 10 or 8.
type ambiguous string

// scalar is the value of a text, number or truth value: string, int64, uint64,
// float64, bool or ambiguous.
func scalar(node ast.Node) (any, bool) {
	if zeros, ok := ambiguousNumber(node); ok {
		return zeros, true
	}
	switch n := node.(type) {
	case *ast.StringNode:
		if n.Token.Type == token.StringType && exponent.MatchString(n.Value) {
			if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
				return f, true
			}
		}
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode:
		return wholeOf(n.Value), true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.InfinityNode:
		return n.Value, true
	case *ast.NanNode:
		return n.GetValue(), true
	case *ast.BoolNode:
		return n.Value, true
	}
	return nil, false
}

// ambiguousNumber returns the text of a node that is a number with a leading zero.
func ambiguousNumber(node ast.Node) (ambiguous, bool) {
	if node == nil || node.GetToken() == nil {
		return "", false
	}
	t := node.GetToken()
	quoted := t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType
	return ambiguous(t.Value), !quoted && strictyaml.IsAmbiguous(t.Value)
}

// exponent is a number that the parser takes for a text, though YAML and JSON do not.
var exponent = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$`)

// wholeOf makes one type of all whole numbers that it can hold.
func wholeOf(v any) any {
	if n, ok := v.(uint64); ok && n <= 1<<63-1 {
		return int64(n)
	}
	return v
}

const noAnchors = "anchors and aliases are not supported; write the value out"

// unsupported says why a node cannot be used anywhere, or nothing.
func unsupported(node ast.Node) string {
	switch n := node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return noAnchors
	case *ast.TagNode:
		return "tags such as " + quote(n.Start.Value) + " are not supported; write the value alone"
	}
	return ""
}

func isNull(node ast.Node) bool { return node == nil || node.Type() == ast.NullType }

// shape is what kind of node stands where something else should.
func shape(node ast.Node) string {
	if v, ok := scalar(node); ok {
		return show(v)
	}
	if isNull(node) {
		return "nothing"
	}
	switch node.(type) {
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a mapping"
	}
	return strings.ToLower(node.Type().String())
}

// expected is what a field of the type may hold, in words.
func expected(t reflect.Type, r rule) string {
	switch {
	case t == durationType:
		return `a duration such as "20ms"`
	case t == bytesType:
		return bytesAllowed
	case t == percentType:
		return percentAllowed
	case t == thresholdType:
		return ruleAllowed + ", or a mapping with " + strings.Join(keysOf(t), ", ")
	case r.oneOf != nil:
		return strings.Join(r.oneOf, ", ")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return expected(t.Elem(), r)
	case reflect.String:
		switch {
		case r.name:
			return `a short name such as "report-2017"`
		case r.variant:
			return "the name of a variant"
		case r.rule:
			return ruleAllowed
		}
		return "text"
	case reflect.Slice:
		return "a list of " + plural(t.Elem(), r)
	case reflect.Map:
		return "a mapping of factors to values"
	case reflect.Struct:
		keys := "a mapping with " + strings.Join(keysOf(t), ", ")
		if slices.ContainsFunc(reflect.VisibleFields(t), required) {
			return keys
		}
		return keys + ", or {}"
	case reflect.Bool:
		return "true, false"
	case reflect.Float64:
		return allowedNumber(r, "a number")
	}
	return allowedNumber(r, "a whole number")
}

func plural(t reflect.Type, r rule) string {
	switch {
	case r.variant:
		return "names of variants"
	case t.Kind() == reflect.String:
		return "texts"
	case t == durationType:
		return "durations"
	case t == thresholdType:
		return `rules such as "bounded-10.item.p99 < 250ms"`
	}
	return "mappings"
}

// keysOf are the keys in the file of the fields of a struct, in its order.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i], _, _ = strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
	}
	return keys
}

// required says whether the file must hold the field.
func required(f reflect.StructField) bool {
	return !strings.Contains(f.Tag.Get("yaml"), ",omit")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
