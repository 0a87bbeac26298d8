package ci

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"

	"floodgate/results/verdict"
)

// JUnit renders a judgment as JUnit XML: a test suite with one test case per check.
//
// A check that failed is a failure. One that is inconclusive or could not be
// measured is an error: Jenkins and GitLab count skipped tests as passed, while an
// inconclusive check is never a pass, and a failure would be a decision. The only
// skipped case is that of a scenario without claims, which avoids an empty suite. A
// check that only warns has no result in the format: it passes, and its output holds
// the warning.
//
// The time of a case is that of the trials that it judges: the sum of their
// makespans or, for a service, of the times for which they were watched; for
// commands, of their run times on both sides; for Go benchmarks, of iterations times
// the time of one. Cases may judge the same trials; the time of the suite counts
// each trial once. It excludes starting and stopping the programs. A case without a
// recorded time, such as that of a crashed trial, has the time 0, as consumers read
// a missing time as NaN.
//
// The format is that of Jenkins' xunit plugin (junit-10.xsd), with the elements in
// the order of Ant's older format.
func JUnit(j Judgment) []byte {
	s := junitSuite{Name: j.Name, ID: j.ID, Time: junitTime(j.Time), File: j.File, SystemOut: &junitText{xmlText(suiteText(j))}}
	for _, p := range append(j.Properties[:len(j.Properties):len(j.Properties)], [2]string{"exit_code", strconv.Itoa(j.Decision.ExitCode())}) {
		s.Properties = append(s.Properties, junitProperty{p[0], p[1]})
	}
	if !j.Started.IsZero() {
		s.Timestamp = j.Started.UTC().Format("2006-01-02T15:04:05")
	}
	for _, c := range j.Checks {
		t := junitCheck(j.Name, c)
		s.Cases = append(s.Cases, t)
		s.Tests++
		switch {
		case t.Skipped != nil:
			s.Skipped++
		case t.Error != nil:
			s.Errors++
		case t.Failure != nil:
			s.Failures++
		}
	}
	doc := junitSuites{Name: "floodgate", Time: s.Time, Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Suite: s}
	out, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil { // no field of it can fail
		panic(err)
	}
	return append([]byte(xml.Header), append(out, '\n')...)
}

func junitCheck(class string, c Check) junitCase {
	words := c.Title
	if c.Statement != "" {
		words = "“" + c.Statement + "”\n" + words
	}
	t := junitCase{Class: class, Name: clean(c.ID), Time: junitTime(c.Time), SystemOut: &junitText{xmlText(words + "\n" + c.All)}}
	result := &junitResult{Type: strings.ReplaceAll(string(c.Decision), " ", "-"), Message: clean(c.Title), Text: xmlText(c.Text)}
	switch c.Decision {
	case verdict.Inconclusive, verdict.NotMeasured:
		t.Error = result
	case verdict.Failed:
		t.Failure = result
	case verdict.NotJudged:
		t.Skipped = result
	}
	return t
}

// junitTime formats a time in seconds.
func junitTime(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// suiteText returns the verdict, its caveats, and facts about the environment.
func suiteText(j Judgment) string {
	words := fmt.Sprintf("%s (exit code %d)\n", j.Headline, j.Decision.ExitCode())
	for _, n := range j.Notes {
		words += "note: " + n + "\n"
	}
	for _, l := range j.factLines() {
		words += l + "\n"
	}
	return words + "print it again: " + j.Command
}

type junitSuites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Name     string     `xml:"name,attr"`
	Time     string     `xml:"time,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Suite    junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	ID         string          `xml:"id,attr"`
	Time       string          `xml:"time,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	File       string          `xml:"file,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	SystemOut  *junitText      `xml:"system-out"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class     string       `xml:"classname,attr"`
	Name      string       `xml:"name,attr"`
	Time      string       `xml:"time,attr"`
	Skipped   *junitResult `xml:"skipped"`
	Error     *junitResult `xml:"error"`
	Failure   *junitResult `xml:"failure"`
	SystemOut *junitText   `xml:"system-out"`
}

type junitResult struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",innerxml"`
}

type junitText struct {
	Text string `xml:",innerxml"`
}

// xmlText is text that keeps its line breaks in XML, which package xml would escape.
// Characters that XML does not allow become U+FFFD.
func xmlText(words string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(cleanLines(words))); err != nil { // a Builder takes all
		panic(err)
	}
	return strings.ReplaceAll(b.String(), "&#xA;", "\n")
}
