package mockupstream

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"floodgate/mockupstream/strictyaml"
)

// DefaultRecords is the path of the records in an answer if a profile names none.
const DefaultRecords = "records"

// wholeBody is the path of an answer that is the list of records itself.
const wholeBody = "."

// Records returns the list of records in an answer, a JSON array, by its path: names
// of fields joined by dots, such as "data.calls", or "." for the whole answer. An
// error names the path and what the answer has instead.
func Records(answer []byte, path string) (jsontext.Value, error) {
	value := jsontext.Value(bytes.TrimSpace(answer))
	if err := validJSON(value); err != nil {
		return nil, fmt.Errorf("decode %d bytes: %w", len(answer), err)
	}
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("records path %s: %s", strictyaml.Quote(path), fmt.Sprintf(format, args...))
	}
	at := "the answer"
	if path != wholeBody {
		for name := range strings.SplitSeq(path, ".") {
			if value.Kind() != '{' {
				return nil, wrong("%s is %s, not an object with a field %s", at, kindOf(value), strictyaml.Quote(name))
			}
			field, names := fieldOf(value, name)
			if field == nil {
				return nil, wrong("no field %s in %s, which has %s", strictyaml.Quote(name), at, listed(names))
			}
			value, at = field, name
		}
	}
	if value.Kind() != '[' {
		return nil, wrong("%s is %s, not a list", at, kindOf(value))
	}
	return value, nil
}

// validJSON returns an error unless v is one JSON value.
func validJSON(v jsontext.Value) error {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	if err := d.SkipValue(); err != nil {
		return err
	}
	if rest := bytes.TrimSpace(v[d.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("more than one JSON value, the second at byte %d", d.InputOffset())
	}
	return nil
}

// fieldOf returns the value of a field of a valid object, or nil and the names of the fields.
func fieldOf(object jsontext.Value, name string) (value jsontext.Value, names []string) {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	_, _ = d.ReadToken() // the object is valid
	for d.PeekKind() == '"' {
		key, _ := d.ReadToken()
		if key.String() == name {
			v, _ := d.ReadValue()
			return bytes.TrimSpace(v), nil
		}
		names = append(names, key.String())
		_ = d.SkipValue()
	}
	return nil, names
}

// countRecords returns the number of elements of a valid array.
func countRecords(list jsontext.Value) (n int) {
	d := jsontext.NewDecoder(bytes.NewReader(list))
	_, _ = d.ReadToken()
	for d.PeekKind() != ']' {
		_ = d.SkipValue()
		n++
	}
	return n
}

func kindOf(v jsontext.Value) string {
	switch v.Kind() {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case '0':
		return "a number"
	case 'n':
		return "null"
	}
	return "a boolean"
}

// listed joins the first ten names for a message.
func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	const most = 10
	more := len(names) > most
	names = slices.Clone(names[:min(len(names), most)])
	for i := range names {
		names[i] = strictyaml.Quote(names[i])
	}
	if more {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// RecordsPath returns the path of the records in an answer; see [Records]. It is
// empty for the built-in upstream's own answers of calls: no part of the profile
// describes another API.
func (p Profile) RecordsPath() string {
	switch {
	case p.Records != "":
		return p.Records
	case p.Request != nil || p.Body.File != "":
		return DefaultRecords
	}
	return ""
}

// records reports a mistake in a path of records.
func (v *validator) records(field, path string) {
	if path == "" || path == wholeBody {
		return
	}
	for name := range strings.SplitSeq(path, ".") {
		if name == "" {
			v.fail(field, path, `must be names of fields joined by dots, such as "data.calls", or "." for the whole answer`)
			return
		}
	}
}
