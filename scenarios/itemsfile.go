package scenarios

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"floodgate/mockupstream"
	"floodgate/mockupstream/strictyaml"
)

// rows are the items of a file and the lines on which they begin.
type rows struct {
	args  [][]string
	lines []int
}

// readItems reads the items of a file by its extension: CSV, or JSON Lines with an
// array or an object on every line. Errors name the file and the line.
func readItems(path string, header bool) (rows, error) {
	content, err := readBounded(path)
	if err != nil {
		return rows{}, err
	}
	return parseItems(path, content, header)
}

func parseItems(path string, content []byte, header bool) (rows, error) {
	text, err := strictyaml.Text(content)
	if err != nil {
		return rows{}, fmt.Errorf("%s:%w", path, err)
	}
	var found rows
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		found, err = parseCSV(text, header)
	case ".jsonl", ".ndjson":
		if header {
			return rows{}, errors.New("header applies to .csv files; a file of JSON Lines has the names in its objects")
		}
		found, err = parseJSONLines(text)
	default:
		return rows{}, fmt.Errorf("%s is neither a .csv nor a .jsonl file", path)
	}
	var at *lineError
	switch {
	case errors.As(err, &at):
		return rows{}, fmt.Errorf("%s:%d: %s", path, at.line, at.reason)
	case err != nil:
		return rows{}, fmt.Errorf("%s: %w", path, err)
	case len(found.args) == 0:
		return rows{}, fmt.Errorf("%s has no items", path)
	}
	return found, nil
}

// lineError is a mistake on a line of a file, counted from 1.
type lineError struct {
	line   int
	reason string
}

func (e *lineError) Error() string { return fmt.Sprintf("%d: %s", e.line, e.reason) }

func onLine(line int, format string, args ...any) error {
	return &lineError{line, fmt.Sprintf(format, args...)}
}

// parseCSV reads CSV (RFC 4180); with header, the first record only names the columns.
func parseCSV(text []byte, header bool) (found rows, err error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	first, columns := 0, 0
	for {
		record, err := r.Read()
		var at *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return found, nil
		case errors.As(err, &at):
			return rows{}, onLine(at.Line, "column %d: %v", at.Column, at.Err)
		case err != nil:
			return rows{}, err
		}
		line, _ := r.FieldPos(0)
		switch {
		case first == 0:
			first, columns = line, len(record)
			if header {
				continue
			}
		case len(record) != columns:
			return rows{}, onLine(line, "has %s, and line %d has %d", plural(len(record), "column"), first, columns)
		}
		found.args, found.lines = append(found.args, record), append(found.lines, line)
	}
}

// parseJSONLines reads an array or an object of texts, numbers and booleans on every
// line that is not blank. The values of objects are in the order of the first object.
func parseJSONLines(text []byte) (found rows, err error) {
	var names []string // of the first object; nil where lines are arrays
	line := 0
	for one := range bytes.SplitSeq(text, []byte("\n")) {
		if line++; len(bytes.TrimSpace(one)) == 0 {
			continue
		}
		keys, values, err := parseJSONLine(one)
		if err != nil {
			return rows{}, onLine(line, "%v", err)
		}
		if len(found.args) == 0 {
			names = keys
		} else if err := arrange(keys, values, names, found); err != nil {
			return rows{}, onLine(line, "%v", err)
		}
		found.args, found.lines = append(found.args, values), append(found.lines, line)
	}
	return found, nil
}

// arrange puts the values of a line into the order of the first line, with its names.
func arrange(keys, values, names []string, found rows) error {
	first := found.lines[0]
	switch {
	case (keys == nil) != (names == nil):
		return fmt.Errorf("is %s, and line %d is %s", shapeOf(keys), first, shapeOf(names))
	case keys == nil && len(values) != len(found.args[0]):
		return fmt.Errorf("has %s, and line %d has %d", plural(len(values), "value"), first, len(found.args[0]))
	case keys == nil:
		return nil
	}
	given := slices.Clone(values)
	for i, name := range names {
		at := slices.Index(keys, name)
		if at < 0 {
			return fmt.Errorf("has no %s, which line %d has", strictyaml.Quote(name), first)
		}
		if i < len(values) {
			values[i] = given[at]
		}
	}
	for _, key := range keys {
		if !slices.Contains(names, key) {
			return fmt.Errorf("has %s, which line %d does not have", strictyaml.Quote(key), first)
		}
	}
	return nil
}

func shapeOf(keys []string) string {
	if keys == nil {
		return "an array"
	}
	return "an object"
}

// parseJSONLine reads one array or object; keys are nil for an array.
func parseJSONLine(line []byte) (keys, values []string, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(line))
	begin, err := d.ReadToken()
	switch {
	case err != nil:
		return nil, nil, err
	case begin.Kind() == '{':
		keys = []string{}
	case begin.Kind() != '[':
		return nil, nil, errors.New("must be an array or an object")
	}
	for d.PeekKind() != ']' && d.PeekKind() != '}' {
		if keys != nil {
			name, err := d.ReadToken()
			if err != nil {
				return nil, nil, err
			}
			keys = append(keys, name.String())
		}
		v, err := d.ReadToken()
		switch {
		case err != nil:
			return nil, nil, err
		case strings.ContainsRune(`[{n`, rune(v.Kind())):
			return nil, nil, fmt.Errorf("value %d must be text, a number or a boolean", len(values)+1)
		}
		values = append(values, v.String())
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, nil, err
	}
	if rest := bytes.TrimSpace(line[d.InputOffset():]); len(rest) > 0 {
		return nil, nil, fmt.Errorf("has text after the end of the value: %s", strictyaml.Quote(string(rest)))
	}
	if len(values) == 0 {
		return nil, nil, errors.New("has no values")
	}
	return keys, values, nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// readFile reads the items of File, relative to dir, for requests of the upstream, and
// sets Count if it is not given.
func (i *Items) readFile(dir string, request *mockupstream.ItemRequest) strictyaml.Errors {
	if i.File == "" {
		return nil
	}
	path := relativeTo(dir, i.File)
	found, err := readItems(path, i.Header)
	if err == nil {
		err = found.check(path, request)
	}
	if err != nil {
		return strictyaml.Errors{problem("items.file", "%v", err)}
	}
	if i.Args = found.args; i.Count == 0 {
		i.Count = len(i.Args)
	}
	return nil
}

// check checks that each item has a request and a key of its own, from which the mock
// can tell its arguments.
func (r rows) check(path string, request *mockupstream.ItemRequest) error {
	columns := columnsOf(request, len(r.args[0]))
	if columns == nil {
		return nil // reported at the path of the request
	}
	var route *mockupstream.Route
	if request != nil {
		route = request.Route()
	}
	first := map[string]int{} // the item of each key
	for i, all := range r.args {
		args := selected(all, columns)
		for n, arg := range args {
			switch {
			case strings.ContainsRune(arg, 0):
				return fmt.Errorf("%s:%d: column {%d} has a NUL character", path, r.lines[i], columns[n])
			case route == nil && arg == "":
				return fmt.Errorf("%s:%d: column {%d} is empty, which has no place in /items/<arg>", path, r.lines[i], columns[n])
			}
		}
		key := strings.Join(args, "/")
		if other, twice := first[key]; !twice {
			first[key] = i
		} else if !slices.Equal(args, selected(r.args[other], columns)) {
			return fmt.Errorf("%s:%d: has the key %s of line %d, whose columns are others; items need different keys, their columns joined by slashes",
				path, r.lines[i], strictyaml.Quote(key), r.lines[other])
		}
		if route != nil && !recognized(route, args) {
			return fmt.Errorf("%s:%d: its columns cannot be told apart in the request %s: an empty column cannot be a segment of a path, and columns side by side need a separator that they do not hold",
				path, r.lines[i], strictyaml.Quote(route.Target(args)))
		}
	}
	return nil
}
