package strictyaml

import (
	"encoding"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// scalar decodes numbers, booleans and strings. A plain number is a string
// where a string is wanted.
func (d *decoder) scalar(path string, node ast.Node, v reflect.Value) {
	text, ok := scalarText(node)
	if !ok {
		d.fail(path, node, "%s; allowed: %s", kindOf(node), describe(v.Type()))
		return
	}
	kind := node.GetToken().Type
	quoted := kind == token.SingleQuoteType || kind == token.DoubleQuoteType || kind == token.LiteralType || kind == token.FoldedType
	if zeros := CheckZeros(text); zeros != nil && !quoted && isNumber(v.Kind()) {
		d.fail(path, node, "%v", zeros)
		return
	}
	plain := strings.ReplaceAll(text, "_", "")
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
		quoted = quoted || node.Type() != ast.BoolType // ParseBool also takes 1, t and the like
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(plain, 0, v.Type().Bits())
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var n uint64
		n, err = strconv.ParseUint(plain, 0, v.Type().Bits())
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		var x float64
		x, err = strconv.ParseFloat(plain, v.Type().Bits())
		if math.IsNaN(x) || math.IsInf(x, 0) {
			quoted = true
		}
		v.SetFloat(x)
	default:
		quoted = true
	}
	if err != nil || quoted {
		d.fail(path, node, "%q; allowed: %s", text, describe(v.Type()))
	}
}

func isNumber(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Float64 }

// scalarText is the text of a scalar as it was written, quotes apart.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true
	}
	return "", false
}

// kindOf names a node's kind to a user.
func kindOf(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "no value"
	}
	return strconv.Quote(node.GetToken().Value)
}

// describe says what a type allows.
func describe(t reflect.Type) string {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "text that is a " + strings.ToLower(t.Name()) // "duration"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem())
	case reflect.Struct:
		return "a mapping with the keys " + strings.Join(keys(t), ", ")
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, 0 or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "text"
	}
	return "nothing"
}

// nearest is the allowed name that is fewest edits from name, "" when all are far.
func nearest(name string, allowed []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, a := range allowed {
		if d := edits(name, a); d < least {
			best, least = a, d
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
