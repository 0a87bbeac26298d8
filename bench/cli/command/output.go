package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"floodgate/bench/doctor"
	"floodgate/bench/progress"
	"floodgate/mockupstream/learn"
	"floodgate/results"
	"floodgate/results/atomicfile"
	"floodgate/results/capacity"
	"floodgate/results/compare"
	"floodgate/results/history"
	verdicts "floodgate/results/pairs"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/report/html"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
	"floodgate/results/watched"
	"floodgate/results/whatif"
)

// Names of formats that commands refer to.
const (
	FormatText     = "text"
	FormatHTML     = "html"
	formatJSON     = "json"
	FormatMarkdown = "markdown"
)

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
		{"gobench", func(w io.Writer, j ci.Judged) error { return report.GoBench(w, j.Run) }},
		{FormatMarkdown, func(w io.Writer, j ci.Judged) error { return printBytes(w, ci.Markdown(j, ci.MaxComment)) }},
	}, forCI(ci.Judged.Judgement)...)

	GateFormats = append(formats[GateResult]{
		people(func(w io.Writer, g GateResult, o text.Options) error { return g.Text(w, o) }),
		{formatJSON, func(w io.Writer, g GateResult) error { return g.JSON(w) }},
		{FormatMarkdown, func(w io.Writer, g GateResult) error { return printBytes(w, ci.Comment(g.Judgement)) }},
	}, forCI(func(g GateResult) ci.Judgement { return g.Judgement })...)

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
	HistoryFormats  = formats[*history.History]{people(report.History), {formatJSON, report.HistoryJSON}}
	SelfTestFormats = formats[*verdicts.SelfTested]{people(report.SelfTest), {formatJSON, report.SelfTestJSON}}
	LearnedFormats  = formats[*learn.Learned]{people(report.Learned), {formatJSON, report.LearnedJSON}}
	DoctorFormats   = formats[doctor.Report]{
		people(func(w io.Writer, r doctor.Report, o text.Options) error { return r.Text(w, o) }),
		{formatJSON, func(w io.Writer, r doctor.Report) error { return r.JSON(w) }},
	}
)

// GateResult is the result of a gate, with the functions that print it.
type GateResult struct {
	Judgement ci.Judgement
	Text      func(io.Writer, text.Options) error
	JSON      func(io.Writer) error
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

// people returns the format for people, as wide and colorful as their terminal.
func people[T any](render func(io.Writer, T, text.Options) error) format[T] {
	return format[T]{FormatText, func(w io.Writer, v T) error { return render(w, v, Terminal(w)) }}
}

// forCI returns the formats that CI servers read.
func forCI[T any](judgement func(T) ci.Judgement) formats[T] {
	as := func(render func(ci.Judgement) []byte) func(io.Writer, T) error {
		return func(w io.Writer, v T) error { return printBytes(w, render(judgement(v))) }
	}
	return formats[T]{{"junit", as(ci.JUnit)}, {"sarif", as(ci.SARIF)}, {"github", as(ci.Annotations)}}
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
func (f formats[T]) names() string {
	var names []string
	for _, one := range f {
		names = append(names, one.Name)
	}
	return OneOf(names)
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

// OneOf returns "a, b or c".
func OneOf(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// Terminal describes the terminal that w writes to: its width, and whether to
// write in color, which depends on NO_COLOR and CI. Without a terminal, or if its
// width is unknown, COLUMNS is the width; zero means that the width is unknown.
func Terminal(w io.Writer) text.Options {
	f, ok := w.(*os.File)
	if !ok || !progress.IsTerminal(f) {
		return text.Options{Width: columns(os.Getenv)}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 1 {
		width = columns(os.Getenv)
	}
	return text.Options{Width: width, Color: os.Getenv("NO_COLOR") == "" && progress.Styled(os.Getenv)}
}

// columns returns the width in COLUMNS; zero means that it is not a positive number.
func columns(getenv func(string) string) int {
	n, err := strconv.Atoi(getenv("COLUMNS"))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// WriteTo writes a report to the file, which it replaces only once the report is
// complete, or to stdout if file is empty. The exit code of a verdict does not keep
// the report from being written.
func WriteTo(file string, stdout io.Writer, write func(io.Writer) error) error {
	if file == "" {
		return write(stdout)
	}
	var text bytes.Buffer
	end := write(&text)
	if !IsVerdict(end) {
		return end
	}
	if err := atomicfile.Write(file, text.Bytes()); err != nil {
		return Usage(fmt.Errorf("write %s: %w", file, err))
	}
	return end
}

// PageFile is the name of a run's page in the run's folder.
const PageFile = "report.html"

// ShowPage opens a written page in the browser if open is set and end, the error of
// the command, is at most that of a verdict. It returns how the command ends.
func ShowPage(open bool, file string, stdout io.Writer, end error) error {
	if e := new(exitError); !open || errors.As(end, &e) && e.code == verdict.ExitMisused {
		return end
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return Usage(err)
	}
	fmt.Fprintln(stdout, path)
	cmd, err := browserCommand(runtime.GOOS, exec.LookPath, path)
	if err == nil {
		if err = cmd.Start(); err == nil {
			err = cmd.Process.Release() // the browser outlives us
		}
	}
	if err != nil {
		return Usage(fmt.Errorf("report written to %s, but no browser could be opened: %w", file, err))
	}
	return end
}

// browserCommand returns the command that opens a file in the user's browser.
func browserCommand(system string, lookPath func(string) (string, error), path string) (*exec.Cmd, error) {
	args := []string{"xdg-open", path}
	switch system {
	case "darwin":
		args = []string{"open", path}
	case "windows":
		args = []string{"rundll32", "url.dll,FileProtocolHandler", path}
	}
	program, err := lookPath(args[0])
	if err != nil {
		return nil, err
	}
	return exec.Command(program, args[1:]...), nil
}

// SummaryVariable is the environment variable with the file that GitHub shows as
// the summary of a step.
const SummaryVariable = "GITHUB_STEP_SUMMARY"

// PrintGitHub appends a judgement to the summary of the step, as text renders it
// in a number of bytes, and prints its annotations.
func PrintGitHub(stdout io.Writer, j ci.Judgement, text func(limit int) []byte) error {
	if err := SummaryWritable(); err != nil {
		return err
	}
	if err := appendSummary(os.Getenv(SummaryVariable), text); err != nil {
		return Usage(fmt.Errorf("--github: %w", err))
	}
	return printBytes(stdout, ci.Annotations(j))
}

// SummaryWritable returns an error if the summary of the step cannot be written.
func SummaryWritable() error {
	path := os.Getenv(SummaryVariable)
	if path == "" {
		return Usage(errors.New("--github: " + SummaryVariable + " is not set, so this is not a step of GitHub Actions; use --format markdown or --format github"))
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return Usage(fmt.Errorf("--github: write the step's summary: %s: %w", SummaryVariable, err))
	}
	return f.Close()
}

// appendSummary appends to the file, whose size stays within the limit of GitHub
// for one step.
func appendSummary(path string, text func(limit int) []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	separator := ""
	if info.Size() > 0 {
		separator = "\n\n" // the last line may lack a newline
	}
	room := ci.MaxSummary - info.Size() - int64(len(separator))
	if room < ci.MaxComment {
		return fmt.Errorf("write the step's summary: %s has %d bytes, which leaves less than %d of the %d that GitHub accepts per step", path, info.Size(), ci.MaxComment, ci.MaxSummary)
	}
	if _, err := f.Write(append([]byte(separator), text(int(room))...)); err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	return nil
}

func printBytes(stdout io.Writer, text []byte) error {
	if _, err := stdout.Write(text); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
