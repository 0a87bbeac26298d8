package gobench

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The parts of a line as package testing prints it: a padded name, a tab, the
// iteration count, a tab, and values with their units. The name is printed
// before the benchmark runs, the rest after it, so log output may come between.
var (
	resultTail    = regexp.MustCompile(`[0-9]+\t *[-+0-9.eE]+ \S+(\t|$)`)
	builtinTail   = regexp.MustCompile(`[0-9]+\t *[-+0-9.eE]+ (ns/op|MB/s|B/op|allocs/op)(\t|$)`)
	orphanResult  = regexp.MustCompile(`^ *` + builtinTail.String())
	embeddedStart = regexp.MustCompile(`Benchmark\S*\s*\t *[0-9]+\t *[-+0-9.eE]+ \S+(\t|$)`)
)

const benchmarkPrefix = "Benchmark"

// form is the form of a line that begins with "Benchmark".
type form int

const (
	logLine   form = iota // not a measurement
	announced             // the bare name, as go test -v prints it when a benchmark starts
	measured              // a measurement, which may have mistakes
	torn                  // a name whose result does not follow on the line
	maybeTorn             // the same, or a log line, depending on the next lines
	failedRun             // a benchmark that failed
)

// formOf classifies a line that begins with "Benchmark" and consists of the words f.
func formOf(line []byte, f []field) form {
	name, text := f[0].text, string(line)
	separator := text[len(name):]
	if len(f) > 1 {
		separator = separator[:strings.Index(separator, f[1].text)]
	}
	first, _ := utf8.DecodeRuneInString(name[len(benchmarkPrefix):])
	bare := name == benchmarkPrefix
	switch {
	case separator == "":
		return announced
	case numeric(f, 1) && (complete(f) || !bare && (len(f) == 2 || numeric(f, 2) || hasUnit(f))):
		return measured
	case len(f) > 2 && f[1].text == "---" && f[2].text == "FAIL:":
		return failedRun
	case unicode.IsLower(first): // "Benchmarking took 3 s"
		return logLine
	case builtinTail.MatchString(text[len(name):]), strings.Contains(separator, "\t") && !bare:
		return torn
	}
	return maybeTorn
}

// complete reports whether f begins with a name, a count, a value and a unit.
func complete(f []field) bool { return len(f) > 3 && numeric(f, 1) && numeric(f, 2) }

func numeric(f []field, i int) bool { return i < len(f) && isNumber(f[i].text) }

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || strings.HasSuffix(err.Error(), strconv.ErrRange.Error())
}

// hasUnit reports whether one of the words is a unit that package testing prints.
func hasUnit(f []field) bool {
	for _, word := range f[2:] {
		if strings.HasSuffix(word.text, "/op") || word.text == "MB/s" {
			return true
		}
	}
	return false
}

// isUnitLine reports whether a line has settings of a unit: it begins with "Unit"
// and sets better or assume. "Unit tests took 3s" is a log line.
func isUnitLine(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("Unit")) || len(line) > longest {
		return false
	}
	f := fields(line)
	if len(f) < 3 || f[0].text != "Unit" {
		return false
	}
	for _, setting := range f[2:] {
		if key, _, ok := strings.Cut(setting.text, "="); ok && (key == "better" || key == "assume") {
			return true
		}
	}
	return false
}

// setting is a line such as "cpu: Some CPU" that applies to the results after it.
type setting struct {
	line       int
	key, value string
	// stray reports that it is between results, where go test prints none.
	stray bool
}

// settingOf parses a line that describes the package or the place of the following
// results. It returns false for other lines of the form "key: value", and for a
// package or a system with a space in it, which is log output.
func settingOf(line []byte) (s setting, ok bool) {
	key, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(line) > longest {
		return setting{}, false
	}
	s.key, s.value = string(key), strings.TrimLeft(string(value), " \t")
	if s.value != "" && s.value == string(value) { // benchfmt wants a space or tab after the colon
		return setting{}, false
	}
	switch s.key {
	case "goos", "goarch", "pkg", InterleavedKey:
		return s, s.value != "" && !strings.ContainsFunc(s.value, unicode.IsSpace)
	case "cpu", "scenario", "environment":
		return s, true
	}
	return setting{}, false
}

// quoted reports whether a line is indented, as package testing indents what a
// benchmark logs.
func quoted(line []byte) bool { return len(line) > 0 && (line[0] == ' ' || line[0] == '\t') }

// endsSection reports whether go test prints the line after a package's results.
func endsSection(text string) bool {
	return text == "PASS" || text == "FAIL" || strings.HasPrefix(text, "ok  \t") || strings.HasPrefix(text, "FAIL\t")
}
