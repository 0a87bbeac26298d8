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

// checker finds, with its column, what package benchfmt refuses or takes and
// should not. Meanings of units hold across files.
type checker struct {
	errs  Errors
	units map[[2]string]meaning // by tidy unit and key
	file  string
	line  int
}

// meaning is what a Unit line said, and where.
type meaning struct {
	value, file string
	line        int
}

func (c *checker) bad(column int, allowed, problem string, args ...any) {
	c.errs = append(c.errs, &InputError{File: c.file, Line: c.line, Column: column, Problem: fmt.Sprintf(problem, args...), Allowed: allowed})
}

// longest line, in bytes, that benchfmt reads, with either end of line.
const longest = bufio.MaxScanTokenSize - 2

const allowedFile = "what go test -bench prints, as UTF-8 without a byte-order mark"

// check goes through a file's lines.
func (c *checker) check(name string, data []byte) {
	c.file, c.line = name, 1
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		c.bad(1, allowedFile, "the file is empty")
		return
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")), bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		c.bad(1, allowedFile, "the file begins with a byte-order mark")
		return
	}
	found, before := false, len(c.errs)
	all := lines(data)
	for i, line := range all {
		if len(line) > longest {
			c.bad(1, fmt.Sprintf("up to %d bytes", longest), "a line of %d bytes", len(line))
			return
		}
		f := fields(line)
		text := strings.TrimSpace(string(line))
		switch {
		case bytes.HasPrefix(line, []byte("Benchmark")):
			if len(f) > 1 || len(f[0].text) != len(line) { // else go test -v says that it begins
				c.result(f, utf8.RuneCount(line)+1)
				found = true
				if i == len(all)-1 && data[len(data)-1] != '\n' { // its value or its unit may be half of one
					c.bad(utf8.RuneCount(line)+1, "a line feed after the last line", "the file ends within a measurement: it may have been cut off")
				}
			}
		case bytes.HasPrefix(line, []byte("U")) && f[0].text == "Unit":
			c.unit(f, utf8.RuneCount(line)+1)
		case text == "FAIL", strings.HasPrefix(text, "FAIL\t"), strings.HasPrefix(text, "--- FAIL: "):
			c.bad(1, "the output of a run in which all passed", "the run failed: %q", clip(text))
		}
		c.line++
	}
	if !found && len(c.errs) == before {
		c.line = 1
		hint := ""
		if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
			hint = " (that of go test -json is not read)"
		}
		c.bad(1, allowedFile, "no benchmark line in the file%s", hint)
	}
}

// result checks a line of measurements.
func (c *checker) result(f []field, end int) {
	c.printable(f[0], "name")
	if len(f) < 2 {
		c.bad(end, "a count from 1", "no iteration count")
		return
	}
	if n, err := strconv.Atoi(f[1].text); err != nil || n < 1 {
		c.bad(f[1].column, "a whole number from 1", "iteration count %q", clip(f[1].text))
		if err != nil {
			return // not a result at all
		}
	}
	if len(f) < 3 {
		c.bad(end, "one value with its unit, or more", "no measurement")
		return
	}
	seen := map[string]string{}
	for i := 2; i < len(f); i += 2 {
		v, err := strconv.ParseFloat(f[i].text, 64)
		if i+1 == len(f) {
			c.bad(end, "value and unit in turn", "value %q has no unit", clip(f[i].text))
			return
		}
		unit := f[i+1]
		tidied, tidy := benchunit.Tidy(v, unit.text)
		switch {
		case err != nil || !finite(v) || !finite(tidied):
			c.bad(f[i].column, "a finite number", "value %q", clip(f[i].text))
		case v < 0 && builtin(tidy):
			c.bad(f[i].column, "0 or more", "value %q of %s", clip(f[i].text), unit.text)
		}
		c.printable(unit, "unit")
		if other, ok := seen[tidy]; ok {
			c.bad(unit.column, "a unit once in a line", "unit %q stands beside %q, which is the same", clip(unit.text), clip(other))
		}
		seen[tidy] = unit.text
	}
}

// unit checks a line that says what a unit means.
func (c *checker) unit(f []field, end int) {
	if len(f) < 2 {
		c.bad(end, "Unit NAME better=lower", "no unit")
		return
	}
	c.printable(f[1], "unit")
	_, tidy := benchunit.Tidy(1, f[1].text)
	for _, setting := range f[2:] {
		key, value, ok := strings.Cut(setting.text, "=")
		values := map[string][]string{"better": {"lower", "higher"}, "assume": {"nothing", "exact"}}[key]
		switch {
		case !ok || key == "":
			c.bad(setting.column, "key=value, such as better=lower", "setting %q", clip(setting.text))
			continue
		case values != nil && value != values[0] && value != values[1]:
			c.bad(setting.column, key+"="+values[0]+" or "+key+"="+values[1], "setting %q", clip(setting.text))
		}
		have, ok := c.units[[2]string{tidy, key}]
		if ok && have.value != value {
			c.bad(setting.column, "one meaning of a unit in both files", "unit %q has %q here, but %s=%s at %s:%d",
				clip(f[1].text), clip(setting.text), key, clip(have.value), have.file, have.line)
		} else if !ok {
			c.units[[2]string{tidy, key}] = meaning{value, c.file, c.line}
		}
	}
}

// printable refuses what would not print as itself.
func (c *checker) printable(f field, what string) {
	for i, r := range f.text {
		if _, size := utf8.DecodeRuneInString(f.text[i:]); r == utf8.RuneError && size == 1 || !unicode.IsGraphic(r) {
			c.bad(f.column+utf8.RuneCountInString(f.text[:i]), "printable characters in UTF-8", "%s %q", what, clip(f.text))
			return
		}
	}
}

// builtin says whether package testing measures that unit, which is then never negative.
func builtin(tidy string) bool {
	return tidy == "sec/op" || tidy == "B/s" || tidy == "B/op" || tidy == "allocs/op"
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// field is a word of a line; its column is counted in characters from 1.
type field struct {
	text   string
	column int
}

// fields splits where benchfmt does.
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

// clip shortens what an error repeats.
func clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
