package scenarios

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
)

var (
	durationType  = reflect.TypeFor[Duration]()
	bytesType     = reflect.TypeFor[Bytes]()
	percentType   = reflect.TypeFor[Percent]()
	serialType    = reflect.TypeFor[Serial]()
	thresholdType = reflect.TypeFor[Threshold]()
)

// assign puts a scalar (string, bool, int64, uint64, float64 or ambiguous) into a field
// and says what is wrong with it, or nothing.
func assign(field reflect.Value, v any, r rule) string {
	switch {
	case field.Type() == durationType:
		return assignDuration(field, v, r)
	case field.Type() == bytesType:
		text, isText := v.(string)
		if !isText {
			return show(v) + " is not a number of bytes; allowed: " + bytesAllowed
		}
		if err := field.Addr().Interface().(*Bytes).UnmarshalText([]byte(text)); err != nil {
			return err.Error()
		}
		return ""
	case field.Type() == percentType:
		text, isText := v.(string)
		if !isText {
			return show(v) + " is not a percentage; allowed: " + percentAllowed
		}
		if err := field.Addr().Interface().(*Percent).UnmarshalText([]byte(text)); err != nil {
			return err.Error()
		}
		return ""
	}
	if zeros, is := v.(ambiguous); is && field.CanInt() || is && field.CanUint() || is && field.CanFloat() {
		return strictyaml.CheckZeros(string(zeros)).Error()
	}
	switch field.Kind() {
	case reflect.Bool:
		truth, isBool := v.(bool)
		if !isBool {
			return show(v) + " is neither true nor false; allowed: true, false"
		}
		field.SetBool(truth)
		return ""
	case reflect.String:
		text, isText := v.(string)
		if !isText {
			return notText(v, r)
		}
		field.SetString(text)
		return r.checkText(text)
	case reflect.Float64:
		f, isNumber := toFloat(v)
		if !isNumber {
			return show(v) + " is not a number; allowed: " + allowedNumber(r, "a number")
		}
		field.SetFloat(f)
		return r.checkNumber(f)
	case reflect.Int, reflect.Uint64:
		return assignWhole(field, v, r)
	default:
		return "cannot be set from " + show(v)
	}
}

func assignDuration(field reflect.Value, v any, r rule) string {
	const allowed = `; allowed: a number with its unit (ns, us, ms, s, m, h), such as "20ms" or "1m30s"`
	text, isText := v.(string)
	if !isText {
		if _, isNumber := toFloat(v); isNumber {
			return show(v) + " has no unit" + allowed
		}
		return show(v) + " is not a duration" + allowed
	}
	d, err := time.ParseDuration(text)
	switch {
	case err == nil && d < 0:
		return quote(text) + " is negative" + allowed
	case !durationText.MatchString(text):
		return quote(text) + " is not a duration" + allowed
	case strictyaml.CheckZeros(text) != nil:
		return strictyaml.CheckZeros(text).Error()
	case err != nil || d > time.Duration(cmp.Or(r.most, maxDuration)):
		return quote(text) + " is too long; allowed: up to " + cmp.Or(r.most, maxDuration).String()
	case r.positive && d == 0:
		return quote(text) + " is no time at all; allowed: more than 0s"
	}
	field.SetInt(int64(d))
	return ""
}

func assignWhole(field reflect.Value, v any, r rule) string {
	allowed := "; allowed: " + allowedNumber(r, "a whole number")
	if field.Kind() == reflect.Uint64 {
		allowed = "; allowed: a whole number from 0 to 18446744073709551615"
	}
	switch n := v.(type) {
	case uint64:
		if field.Kind() == reflect.Uint64 {
			field.SetUint(n)
			return ""
		}
		return show(v) + " is too large" + allowed
	case int64:
		if field.Kind() == reflect.Uint64 {
			if n < 0 {
				return show(v) + " is negative" + allowed
			}
			field.SetUint(uint64(n))
			return ""
		}
		field.SetInt(n)
		return r.checkNumber(float64(n))
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return assignWhole(field, int64(n), r)
		}
	}
	return show(v) + " is not a whole number" + allowed
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

// canonical is a field's value as a level holds it: a duration as text, whole
// numbers as int, so that equal values are equal.
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

// widen makes the scalars of Go and of JSON those that assign takes.
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

// show is a scalar as it is shown in a message.
func show(v any) string {
	switch x := v.(type) {
	case string:
		return quote(x)
	case ambiguous:
		return string(x)
	case Duration:
		return time.Duration(x).String()
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

func notText(v any, r rule) string {
	allowed, quotes := "text", "; write it in quotes if it is meant as text"
	if r.oneOf != nil {
		allowed = strings.Join(r.oneOf, ", ")
		if !slices.Contains(r.oneOf, show(v)) {
			quotes = ""
		}
	}
	return show(v) + " is not text; allowed: " + allowed + quotes
}

func allowedNumber(r rule, what string) string {
	switch {
	case r.span == nil:
		return what
	case r.span.min == r.span.max:
		return r.span.String()
	}
	return what + " from " + r.span.String()
}
