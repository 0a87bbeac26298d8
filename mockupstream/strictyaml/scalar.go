package strictyaml

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Rule is what a field may hold, beyond what its type tells.
type Rule struct {
	// OneOf lists the allowed texts; nil means any.
	OneOf []string
	// Range bounds a number; nil means any.
	Range *Range
	// Want names what a scalar must be, as in "must be a short name"; empty
	// means that the type tells. Valid decides; nil means every value of the type.
	Want  string
	Valid func(value any) bool
	// NonEmpty refuses an empty list, and Distinct one that has a text twice.
	NonEmpty, Distinct bool
}

// Range of numbers, both ends included.
type Range struct{ Min, Max float64 }

// String is "1 to 10", or "1" where both ends are the same.
func (r *Range) String() string {
	if r.Min == r.Max {
		return Show(r.Min)
	}
	return Show(r.Min) + " to " + Show(r.Max)
}

// ambiguous is a number as it was written, with a leading zero: 010 may mean 10 or 8.
type ambiguous string

// Show returns a scalar as messages show it: a text in quotes, a number as it is.
func Show(v any) string {
	switch x := v.(type) {
	case string:
		return Quote(x)
	case ambiguous:
		return cut(string(x), 60)
	case float64:
		if x != 0 && (math.Abs(x) < 1e-6 || math.Abs(x) >= 1e15) {
			return strconv.FormatFloat(x, 'g', -1, 64)
		}
		return strconv.FormatFloat(x, 'f', -1, 64)
	case []any:
		return "a list"
	}
	return fmt.Sprint(v)
}

// Assign puts a scalar (string, bool, int64, uint64 or float64) into a field,
// and returns what is wrong with it, nil if nothing is.
func Assign(field reflect.Value, v any, r Rule) *Error {
	if list, isList := v.([]any); isList {
		return Wrong(list, "must be one value")
	}
	if text, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		plain, isText := v.(string)
		if !isText {
			plain = Show(v)
		}
		if err := text.UnmarshalText([]byte(plain)); err != nil {
			wrong := *Flatten(err)[0]
			if wrong.Value != "" {
				wrong.Value = Show(v)
			}
			return &wrong
		}
		return r.check(field, v)
	}
	if zeros, is := v.(ambiguous); is && field.CanInt() || is && field.CanUint() || is && field.CanFloat() {
		return Flatten(CheckZeros(string(zeros)))[0]
	}
	if !set(field, v) {
		return r.mismatch(field.Type(), v)
	}
	return r.check(field, v)
}

// set reports whether the field's type can hold the scalar, and puts it there.
func set(field reflect.Value, v any) bool {
	switch field.Kind() {
	case reflect.Bool:
		truth, ok := v.(bool)
		field.SetBool(truth)
		return ok
	case reflect.String:
		text, ok := v.(string)
		field.SetString(text)
		return ok
	case reflect.Float32, reflect.Float64:
		x, ok := toFloat(v)
		if !ok || math.IsNaN(x) || math.IsInf(x, 0) || field.Type().Bits() == 32 && math.IsInf(float64(float32(x)), 0) {
			return false
		}
		field.SetFloat(x)
		return true
	}
	if x, ok := v.(float64); ok && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		v = int64(x)
	}
	switch n := v.(type) {
	case int64:
		if field.CanInt() && !field.OverflowInt(n) {
			field.SetInt(n)
			return true
		}
		if field.CanUint() && n >= 0 && !field.OverflowUint(uint64(n)) {
			field.SetUint(uint64(n))
			return true
		}
	case uint64:
		if field.CanUint() && !field.OverflowUint(n) {
			field.SetUint(n)
			return true
		}
	}
	return false
}

func toFloat(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// mismatch is the error about a scalar of another type.
func (r Rule) mismatch(t reflect.Type, v any) *Error {
	wrong := Wrong(v, "must be %s", r.want(t))
	if t.Kind() == reflect.String && (r.OneOf == nil || slices.Contains(r.OneOf, Show(v))) {
		wrong.Reason += "; quote it if it is meant as text"
	}
	return wrong
}

// check returns what is wrong with a field that was set from v.
func (r Rule) check(field reflect.Value, v any) *Error {
	inRange := true
	if x, ok := toFloat(v); ok && r.Range != nil {
		inRange = x >= r.Range.Min && x <= r.Range.Max
	}
	switch text := field.String(); {
	case r.OneOf != nil && !slices.Contains(r.OneOf, text):
		return &Error{Value: Show(v), Reason: "must be " + Or(r.OneOf), Nearest: Nearest(text, r.OneOf)}
	case !inRange, r.Valid != nil && !r.Valid(field.Interface()):
		return Wrong(v, "must be %s", r.want(field.Type()))
	}
	return nil
}

// want is what a field of the type must be, in words.
func (r Rule) want(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Slice:
		return "a list"
	case r.OneOf != nil:
		return Or(r.OneOf)
	case r.Want != "":
		return r.Want
	}
	if text, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler); ok {
		if err := text.UnmarshalText(nil); err != nil {
			return strings.TrimPrefix(Flatten(err)[0].Reason, "must be ")
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return r.want(t.Elem())
	case reflect.Struct:
		return "a mapping with " + Or(Keys(t))
	case reflect.Map:
		return "a mapping of names to values"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float32, reflect.Float64:
		return r.number("a number")
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if r.Range == nil {
			return fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-t.Bits()))
		}
	}
	return r.number("a whole number")
}

func (r Rule) number(what string) string {
	switch {
	case r.Range == nil:
		return what
	case r.Range.Min == r.Range.Max:
		return r.Range.String()
	}
	return what + " from " + r.Range.String()
}

// begin is the token at which a node begins: a block mapping with its first
// key, where the parser has its colon.
func begin(node ast.Node) *token.Token {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return begin(n.Values[0].Key)
		}
		return n.Start
	case *ast.MappingValueNode:
		return begin(n.Key)
	case nil:
		return nil
	}
	return node.GetToken()
}

// scalarOf is the value of a text, number or truth value: string, int64,
// uint64, float64, bool or ambiguous.
func scalarOf(node ast.Node) (any, bool) {
	if node == nil || node.GetToken() == nil {
		return nil, false
	}
	t := node.GetToken()
	if t.Type != token.SingleQuoteType && t.Type != token.DoubleQuoteType && zeroNumber.MatchString(t.Value) {
		return ambiguous(t.Value), true
	}
	switch n := node.(type) {
	case *ast.StringNode:
		if t.Type == token.StringType && decimalNumber.MatchString(n.Value) {
			if x, err := strconv.ParseFloat(n.Value, 64); err == nil {
				return x, true
			}
		}
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode:
		if n, ok := n.Value.(uint64); ok && n <= math.MaxInt64 {
			return int64(n), true
		}
		return n.Value, true
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

// decimalNumber is a number that the parser may take for a text, though YAML
// and JSON do not: 1e3, or one above every integer type.
var decimalNumber = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$`)

const noAnchors = "anchors and aliases are not supported; write the value out"

// unsupported says why a node cannot be used anywhere; empty means that it can.
func unsupported(node ast.Node) string {
	switch n := node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return noAnchors
	case *ast.TagNode:
		return "tags such as " + Quote(n.Start.Value) + " are not supported; write the value alone"
	}
	return ""
}

func isNull(node ast.Node) bool { return node == nil || node.Type() == ast.NullType }

// shape names a node that stands where something else should.
func shape(node ast.Node) string {
	if v, ok := scalarOf(node); ok {
		return Show(v)
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
