package gobench

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/perf/benchunit"
)

// checker finds mistakes with their column, including those that package benchfmt
// does not detect, and selects the lines for benchfmt: measurements and their
// settings. It ignores all other lines. The meanings of units apply to both files.
type checker struct {
	errs  Errors
	units map[[2]string]meaning // by tidy unit and key
	file  string
	line  int
	// kept holds the lines for benchfmt, with other lines empty; settings holds those
	// that describe where the others were measured.
	kept     [][]byte
	settings []setting
	// found reports a measurement in the file, inSection one of the current package.
	found, inSection bool
	// name is a benchmark whose result has not been found yet; nil means none.
	name *tornName
}

// meaning is a setting of a Unit line, with its position.
type meaning struct {
	value, file string
	line        int
}

// tornName is a benchmark's name whose result does not follow on the line.
type tornName struct {
	name         string
	line, column int
	// certain reports that it cannot be a log line.
	certain bool
}

func (c *checker) bad(column int, hint, problem string, args ...any) {
	c.badAt(c.line, column, hint, problem, args...)
}

func (c *checker) badAt(line, column int, hint, problem string, args ...any) {
	c.errs = append(c.errs, &InputError{File: c.file, Line: line, Column: column, Problem: fmt.Sprintf(problem, args...), Hint: hint})
}

// longest is the length of the longest line, in bytes, that benchfmt can read.
const longest = bufio.MaxScanTokenSize - 2

const (
	hintFile = "pass what go test -bench printed, as UTF-8 without a byte-order mark"
	hintTorn = "send the log output elsewhere, or run go test with -v, which prints each name together with its result"
)

// check checks a file. It returns the lines for benchfmt, with the same line
// numbers, and the settings among them.
func (c *checker) check(name string, data []byte) ([]byte, []setting) {
	c.file, c.line, c.settings, c.found, c.inSection, c.name = name, 1, nil, false, false, nil
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		c.bad(1, hintFile, "the file is empty")
		return nil, nil
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")), bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		c.bad(1, hintFile, "the file begins with a byte-order mark")
		return nil, nil
	}
	before, all := len(c.errs), lines(data)
	c.kept = make([][]byte, len(all)+1) // an empty one, for the last line feed
	for i, line := range all {
		c.line = i + 1
		c.one(line, i == len(all)-1 && data[len(data)-1] != '\n')
	}
	c.tear(0)
	if !c.found && len(c.errs) == before {
		c.line = 1
		hint := hintFile
		if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
			hint = "run go test without -json"
		}
		c.bad(1, hint, "the file has no benchmark result")
	}
	return bytes.Join(c.kept, []byte("\n")), c.settings
}

// one checks a line; cut reports that it lacks its line feed.
func (c *checker) one(line []byte, cut bool) {
	text := strings.TrimSpace(string(line))
	s, isSetting := settingOf(line)
	switch {
	case bytes.HasPrefix(line, []byte(benchmarkPrefix)):
		c.benchmark(line, fields(line), cut)
	case bytes.Contains(line, []byte(benchmarkPrefix)) && !quoted(line) && embeddedStart.Match(line):
		at := embeddedStart.FindIndex(line)[0]
		c.bad(utf8.RuneCount(line[:at])+1, "end the log output with a newline, or send it elsewhere", "log output precedes this benchmark's name, so its result is lost")
	case isUnitLine(line):
		c.unit(fields(line))
		c.kept[c.line-1] = line
	case isSetting:
		c.setting(s)
		c.kept[c.line-1] = line
	case c.name != nil && (c.name.certain && resultTail.Match(line) || orphanResult.Match(line)):
		c.tear(c.line)
	case orphanResult.Match(line), !quoted(line) && builtinTail.Match(line):
		c.bad(1, hintTorn, "this result has no benchmark name before it: log output was written between the two")
	case text == "FAIL", strings.HasPrefix(text, "FAIL\t"), strings.HasPrefix(text, "--- FAIL: "):
		c.failed(1, text)
	}
	if endsSection(text) {
		c.tear(0)
		c.inSection = false
	}
}

func (c *checker) failed(column int, text string) {
	c.bad(column, "use the output of a run in which all passed", "the run failed: %q", clip(text))
}

// benchmark checks a line that begins with "Benchmark".
func (c *checker) benchmark(line []byte, f []field, cut bool) {
	end := utf8.RuneCount(line) + 1
	switch form := formOf(line, f); form {
	case measured:
		c.tear(0)
		c.found, c.inSection = true, true
		if len(line) > longest {
			c.bad(1, "shorten the benchmark's name or report fewer metrics", "a measurement must have at most %[2]d bytes (got %[1]d)", len(line), longest)
			return
		}
		c.kept[c.line-1] = line
		c.result(f, end)
		if cut { // its value or its unit may be half of one
			c.bad(end, "if it is complete, end its last line with a line feed", "the file ends within a measurement, so it may be truncated")
		}
	case failedRun:
		c.failed(f[1].column, "--- FAIL: "+f[0].text)
	case torn, maybeTorn:
		c.tear(0)
		c.name = &tornName{name: f[0].text, line: c.line, column: end, certain: form == torn}
		if len(f) > 1 {
			c.name.column = f[1].column
		}
		if form == torn && resultTail.Match(line[len(f[0].text):]) {
			c.tear(c.line)
		}
	}
}

// tear reports the loss of the result of c.name, which is on line at; 0 means that
// the result was not found, and the name may have been a log line.
func (c *checker) tear(at int) {
	n := c.name
	c.name = nil
	switch {
	case n == nil:
	case at == n.line:
		c.badAt(n.line, n.column, hintTorn, "the result of %q is lost: log output was written between the name and the result", clip(n.name))
	case at > 0:
		c.badAt(n.line, n.column, hintTorn, "the result of %q is lost: log output was written between the name and the result, which is on line %d", clip(n.name), at)
	case n.certain:
		c.badAt(n.line, n.column, hintTorn, "the result of %q is missing: the benchmark did not end, or log output was written between the name and the result", clip(n.name))
	}
	c.found = c.found || n != nil && (at > 0 || n.certain)
}

// setting adds a line that describes where the following results were measured. go
// test prints such lines in a block before the results of a package, the CPU last.
func (c *checker) setting(s setting) {
	s.line, s.stray = c.line, c.inSection
	if s.key == "goos" || s.key == "goarch" || s.key == "pkg" {
		c.inSection = false
	}
	c.settings = append(c.settings, s)
}

// result checks a line of measurements.
func (c *checker) result(f []field, end int) {
	c.printable(f[0], "name")
	if n, err := strconv.Atoi(f[1].text); err != nil || n < 1 {
		c.bad(f[1].column, "", "the iteration count must be an integer of at least 1 (got %q)", clip(f[1].text))
		if err != nil {
			return // not a result at all
		}
	}
	if len(f) < 3 {
		c.bad(end, "", "the measurement lacks a value and its unit")
		return
	}
	seen := map[string]string{}
	for i := 2; i < len(f); i += 2 {
		if i+1 == len(f) {
			c.bad(end, "", "value %q has no unit", clip(f[i].text))
			return
		}
		c.value(f[i], f[i+1], seen)
	}
}

// value checks a value and its unit; seen holds the earlier units of the line.
func (c *checker) value(value, unit field, seen map[string]string) {
	v, err := strconv.ParseFloat(value.text, 64)
	tidied, tidy := benchunit.Tidy(v, unit.text)
	switch {
	case err != nil || !finite(v) || !finite(tidied):
		c.bad(value.column, "", "a value must be a finite number (got %q)", clip(value.text))
	case v < 0 && builtin(tidy):
		c.bad(value.column, "", "a value of %s must be at least 0 (got %q)", unit.text, clip(value.text))
	case isNumber(unit.text):
		c.bad(unit.column, hintTorn, "a unit must not be a number (got %q): log output was probably written between the name and the result", clip(unit.text))
	}
	c.printable(unit, "unit")
	if other, ok := seen[tidy]; ok {
		c.bad(unit.column, "report each unit once", "units %q and %q are the same", clip(unit.text), clip(other))
	}
	seen[tidy] = unit.text
}

// unit checks a line with the settings of a unit.
func (c *checker) unit(f []field) {
	c.printable(f[1], "unit")
	_, tidy := benchunit.Tidy(1, f[1].text)
	for _, setting := range f[2:] {
		key, value, ok := strings.Cut(setting.text, "=")
		values := map[string][]string{"better": {"lower", "higher"}, "assume": {"nothing", "exact"}}[key]
		switch {
		case !ok || key == "":
			c.bad(setting.column, "write key=value, such as better=lower", "%q is not a setting of a unit", clip(setting.text))
			continue
		case values != nil && value != values[0] && value != values[1]:
			c.bad(setting.column, "", "%s must be %s or %s (got %q)", key, values[0], values[1], clip(value))
		}
		have, ok := c.units[[2]string{tidy, key}]
		if ok && have.value != value {
			c.bad(setting.column, "give the unit one meaning in both files", "unit %q has %q here, but %s=%s at %s:%d",
				clip(f[1].text), clip(setting.text), key, clip(have.value), have.file, have.line)
		} else if !ok {
			c.units[[2]string{tidy, key}] = meaning{value, c.file, c.line}
		}
	}
}

// printable reports unprintable characters.
func (c *checker) printable(f field, what string) {
	for i, r := range f.text {
		if _, size := utf8.DecodeRuneInString(f.text[i:]); r == utf8.RuneError && size == 1 || !unicode.IsGraphic(r) {
			c.bad(f.column+utf8.RuneCountInString(f.text[:i]), "", "the %s must consist of printable UTF-8 characters (got %q)", what, clip(f.text))
			return
		}
	}
}

// builtin reports whether package testing measures the unit, whose values are never
// negative.
func builtin(tidy string) bool {
	return tidy == "sec/op" || tidy == "B/s" || tidy == "B/op" || tidy == "allocs/op"
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// field is a word of a line; its column is counted in characters from 1.
type field struct {
	text   string
	column int
}

// fields splits a line in the same way as benchfmt.
func fields(line []byte) []field {
	var f []field
	column, start, begun := 0, 0, 0
	in := false
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		column++
		switch space := unicode.IsSpace(r); {
		case !space && !in:
			in, start, begun = true, i, column
		case space && in:
			in = false
			f = append(f, field{string(line[start:i]), begun})
		}
		i += size
	}
	if in {
		f = append(f, field{string(line[start:]), begun})
	}
	return f
}

// lines splits as bufio.ScanLines does.
func lines(data []byte) [][]byte {
	all := bytes.Split(data, []byte("\n"))
	if len(all[len(all)-1]) == 0 {
		all = all[:len(all)-1]
	}
	for i, l := range all {
		all[i] = bytes.TrimSuffix(l, []byte("\r"))
	}
	return all
}

// clip shortens a text that an error quotes.
func clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
