package command

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"floodgate/bench/doctor"
	"floodgate/mockupstream/learn"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/compare"
	"floodgate/results/history"
	verdicts "floodgate/results/pairs"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/report/html"
	"floodgate/results/text"
	"floodgate/results/watched"
	"floodgate/results/whatif"
)

// Names of formats that commands refer to.
const (
	FormatText     = "text"
	FormatHTML     = "html"
	formatJSON     = "json"
	FormatMarkdown = "markdown"
	formatGoBench  = "gobench"
	formatJUnit    = "junit"
	formatSARIF    = "sarif"
	formatGitHub   = "github"
)

// descriptions describes the formats of a run for help texts.
var descriptions = map[string]string{
	FormatText:     "the table and the judged claims",
	FormatHTML:     "a page with pictures, in one file that loads nothing",
	formatJSON:     "the verdict with all its evidence",
	formatGoBench:  "Go benchmark lines, for benchstat",
	FormatMarkdown: fmt.Sprintf("a comment on a pull request, %s bytes at most", text.Count(ci.MaxComment)),
	formatJUnit:    "JUnit XML: a test case a claim; an inconclusive one is an error",
	formatSARIF:    "SARIF 2.1.0: a result for each claim that is not as expected",
	formatGitHub:   "annotations of GitHub Actions",
}

// format renders results of one kind under a name.
type format[T any] struct {
	Name   string
	render func(io.Writer, T) error
}

// formats lists the formats of one kind of result. The first one is the default.
type formats[T any] []format[T]

// These tables hold every format of every kind of result: a new format is a line
// in one of them.
var (
	RunFormats = append(formats[ci.Judged]{
		people(func(w io.Writer, j ci.Judged, o text.Options) error {
			return report.Terminal(w, j.Run, j.Verdict, o)
		}),
		{FormatHTML, runPage},
		{formatJSON, func(w io.Writer, j ci.Judged) error { return report.JSON(w, j.Verdict) }},
		{formatGoBench, func(w io.Writer, j ci.Judged) error { return report.GoBench(w, j.Run) }},
		{FormatMarkdown, func(w io.Writer, j ci.Judged) error { return printBytes(w, ci.Markdown(j, ci.MaxComment)) }},
	}, forCI(ci.Judged.Judgment)...)

	GateFormats = append(formats[GateResult]{
		people(func(w io.Writer, g GateResult, o text.Options) error { return g.Text(w, o) }),
		{formatJSON, func(w io.Writer, g GateResult) error { return g.JSON(w) }},
		{FormatMarkdown, func(w io.Writer, g GateResult) error { return printBytes(w, ci.Comment(g.Judgment)) }},
	}, forCI(func(g GateResult) ci.Judgment { return g.Judgment })...)

	LimitFormats = formats[*capacity.Limits]{
		people(report.Limits), {FormatHTML, html.Limits}, {formatJSON, report.LimitsJSON}, {FormatMarkdown, ci.LimitsMarkdown},
	}
	RateFormats = formats[*capacity.Rates]{
		people(report.Rates), {FormatHTML, html.Rates}, {formatJSON, report.RatesJSON}, {FormatMarkdown, ci.RatesMarkdown},
	}
	PredictionFormats = formats[*whatif.Answer]{
		people(report.WhatIf), {formatJSON, report.WhatIfJSON}, {FormatMarkdown, ci.WhatIfMarkdown},
	}
	ComparisonFormats = formats[*compare.Comparison]{
		people(report.Comparison), {FormatHTML, html.Comparison}, {formatJSON, report.ComparisonJSON}, {FormatMarkdown, ci.ComparisonMarkdown},
	}
	WatchFormats = formats[Watched]{
		people(func(w io.Writer, v Watched, o text.Options) error { return report.Watch(w, v.Watch, v.Outcome, o) }),
		{FormatHTML, watchPage},
		{formatJSON, func(w io.Writer, v Watched) error { return report.WatchJSON(w, v.Outcome) }},
	}
	ListFormats     = formats[[]results.Listed]{people(report.Runs), {formatJSON, report.RunsJSON}}
	HistoryFormats  = formats[*history.History]{people(report.History), {FormatHTML, historyPage}, {formatJSON, report.HistoryJSON}}
	SelfTestFormats = formats[*verdicts.SelfTestOutcome]{people(report.SelfTest), {formatJSON, report.SelfTestJSON}}
	SeriesFormats   = formats[*verdicts.SelfTestSeries]{people(report.SelfTestSeries), {formatJSON, report.SelfTestSeriesJSON}}
	LearnedFormats  = formats[*learn.Learned]{people(report.Learned), {formatJSON, report.LearnedJSON}}
	DoctorFormats   = formats[doctor.Report]{
		people(func(w io.Writer, r doctor.Report, o text.Options) error { return r.Text(w, o) }),
		{formatJSON, func(w io.Writer, r doctor.Report) error { return r.JSON(w) }},
	}
)

// GateResult is the result of a gate, with the functions that print it.
type GateResult struct {
	Judgment ci.Judgment
	Text     func(io.Writer, text.Options) error
	JSON     func(io.Writer) error
}

// Watched is a stored watch with its verdict.
type Watched struct {
	Watch   *watched.Watch
	Outcome *watched.Outcome
}

// watchPage renders a watch as a page that contains its record.
func watchPage(w io.Writer, v Watched) error {
	record, err := os.ReadFile(v.Watch.Path)
	if err != nil {
		return Usage(err)
	}
	return html.Watch(w, v.Watch, v.Outcome, record)
}

// historyPage renders a history as a page that contains its values.
func historyPage(w io.Writer, h *history.History) error {
	return html.Trend(w, h, html.TrendOptions{})
}

// people returns the format for people, which adapts to the width and colors of their
// terminal.
func people[T any](render func(io.Writer, T, text.Options) error) format[T] {
	return format[T]{FormatText, func(w io.Writer, v T) error { return render(w, v, Terminal(w)) }}
}

// forCI returns the formats that CI servers read.
func forCI[T any](judgment func(T) ci.Judgment) formats[T] {
	as := func(render func(ci.Judgment) []byte) func(io.Writer, T) error {
		return func(w io.Writer, v T) error { return printBytes(w, render(judgment(v))) }
	}
	return formats[T]{{formatJUnit, as(ci.JUnit)}, {formatSARIF, as(ci.SARIF)}, {formatGitHub, as(ci.Annotations)}}
}

// runPage renders a run as a page that contains its record.
func runPage(w io.Writer, j ci.Judged) error {
	record, err := os.ReadFile(j.Run.Path)
	if err != nil {
		return Usage(err)
	}
	return html.Run(w, j.Run, j.Verdict, html.Options{Record: record})
}

// Flag registers --format.
func (f formats[T]) Flag(flags *pflag.FlagSet, name *string) {
	flags.StringVar(name, "format", f[0].Name, "output `format`: "+f.names())
}

// names returns "text, html or json".
func (f formats[T]) names() string { return OneOf(f.Names()) }

// Names returns the names of the formats.
func (f formats[T]) Names() []string {
	var names []string
	for _, one := range f {
		names = append(names, one.Name)
	}
	return names
}

// Help returns a list of the formats for a help text, a line each.
func (f formats[T]) Help() string {
	var out strings.Builder
	for _, one := range f {
		fmt.Fprintf(&out, "  %-8s  %s\n", one.Name, descriptions[one.Name])
	}
	return out.String()
}

// Check returns an error for the name of an unknown format.
func (f formats[T]) Check(name string) error {
	for _, one := range f {
		if one.Name == name {
			return nil
		}
	}
	return Usage(fmt.Errorf("unknown format %q (want %s)", name, f.names()))
}

// Print renders v in the named format.
func (f formats[T]) Print(w io.Writer, name string, v T) error {
	for _, one := range f {
		if one.Name == name {
			return one.render(w, v)
		}
	}
	return f.Check(name)
}

func printBytes(stdout io.Writer, text []byte) error {
	if _, err := stdout.Write(text); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// OneOf returns "a, b or c".
func OneOf(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
