// Package gate contains the commands that judge whether something got worse:
//
//	floodgate gate baseline RUN   a run against its stored baseline
//	floodgate gate diff main      the working tree against another revision
//	floodgate gate selftest       what a gate can detect on this machine
package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/abtest"
	"floodgate/bench/cli/command"
	"floodgate/mockupstream/strictyaml"
	"floodgate/results"
	verdicts "floodgate/results/pairs"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/report/content"
	"floodgate/results/stats"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// defaultGates is the folder of comparisons, below the working folder.
const defaultGates = "results/gates"

// New returns the command "gate".
func New(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Judge whether something got worse, with one exit code",
		Example: `  floodgate gate baseline latest            # a run against a baseline
  floodgate gate diff origin/main mine.yaml # the working tree and a commit
  floodgate gate bench --against HEAD~1     # Go benchmarks, in turn
  floodgate gate cmd ./old ./new            # any two commands
  floodgate gate selftest                   # what gates detect on this machine`,
		Long: `Each gate ends with one verdict and one exit code:

  0  nothing got worse
  1  something got worse, or a claim or threshold of the run failed
  2  a flag, a name or a file is wrong
  3  inconclusive, such as with too few samples (it prints how many are needed)
  4  nothing could be measured or compared

With --bisect they are those of git bisect run, which finds the commit:

  git bisect start HEAD v1.2
  git bisect run floodgate gate diff v1.2 mine.yaml --bisect`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGateBaseline(stdout), newGateDiff(stdout, stderr), newGateBench(stdout, stderr), newGateCmd(stdout, stderr), newSelfTest(stdout, stderr))
	return cmd
}

// Output holds the flags that select the output of a gate.
type Output struct {
	Format string
	GitHub bool
	Bisect bool
}

func (o *Output) flags(cmd *cobra.Command) {
	command.GateFormats.Flag(cmd.Flags(), &o.Format)
	cmd.Flags().BoolVar(&o.GitHub, "github", false, "write a step summary and annotations")
	cmd.MarkFlagsMutuallyExclusive("format", "github")
	cmd.Flags().BoolVar(&o.Bisect, "bisect", false, "exit codes for git bisect run: 125 for 3 and 4, 255 for 2")
	args, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, all []string) error { return o.bisected(args(cmd, all)) }
	cmd.RunE = func(cmd *cobra.Command, all []string) error { return o.bisected(run(cmd, all)) }
}

// Exit codes of git bisect run.
const (
	bisectSkip  = 125 // the commit cannot be tested
	bisectAbort = 255 // the bisection ends
)

// bisected returns the error of a command with the exit code that git bisect run expects: a
// commit that is inconclusive or cannot be measured is skipped, and a mistake ends the
// bisection, in which it would make every commit a bad one.
func (o *Output) bisected(err error) error {
	if !o.Bisect {
		return err
	}
	code := command.CodeOf(err)
	switch code {
	case verdict.ExitInconclusive, verdict.ExitNotMeasured:
		code = bisectSkip
	case verdict.ExitMisused:
		code = bisectAbort
	default:
		return err
	}
	if command.IsVerdict(err) {
		return command.Exit(code, nil)
	}
	return command.Exit(code, err)
}

// Check returns an error, before anything is measured, if the output could not be
// written.
func (o *Output) Check() error {
	if o.GitHub {
		return command.SummaryWritable()
	}
	return command.GateFormats.Check(o.Format)
}

// Write prints the result of a gate.
func (o *Output) Write(stdout io.Writer, g command.GateResult) error {
	if o.GitHub {
		return command.PrintGitHub(stdout, g.Judgment, func(int) []byte { return ci.Comment(g.Judgment) })
	}
	return command.GateFormats.Print(stdout, o.Format, g)
}

// parseMargin reads "5%" as 0.05.
func parseMargin(flag, s string) (float64, error) {
	if err := strictyaml.CheckZeros(s); err != nil {
		return 0, fmt.Errorf("%s: %w", flag, err)
	}
	number, ok := strings.CutSuffix(s, "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil || !(x >= 0 && x <= 1e6) {
		return 0, fmt.Errorf("%s must be a percentage from 0%% to 1000000%%, such as 5%% (got %q)", flag, s)
	}
	return x / 100, nil
}

// alphaFlag registers --alpha, whose value checkAlpha checks.
func alphaFlag(flags *pflag.FlagSet, alpha *float64) {
	flags.Float64Var(alpha, "alpha", 0.05, "`probability` of a false alarm")
}

func checkAlpha(alpha float64) error {
	if !(alpha > 0 && alpha < 1) {
		return fmt.Errorf("--alpha must be between 0 and 1 (got %v)", alpha)
	}
	return nil
}

// pairOptions are the flags of gates that measure two programs in pairs.
type pairOptions struct {
	command.Notes
	margin, root string
	alpha        float64
	seed         uint64
	out          Output
	stdout       io.Writer
}

func (o *pairOptions) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.margin, "margin", "5%", "`percent` that times may grow")
	alphaFlag(flags, &o.alpha)
	flags.StringVar(&o.root, "out", defaultGates, "storage `folder`")
	flags.Uint64Var(&o.seed, "seed", 0, "`seed` of the order (default random)")
	o.Flag(flags)
	o.out.flags(cmd)
}

// design returns the group-sequential design that the flags describe.
func (o *pairOptions) design() (stats.Design, error) {
	design := stats.DefaultDesign()
	var err error
	if design.Margin, err = parseMargin("--margin", o.margin); err != nil {
		return design, err
	}
	if err := checkAlpha(o.alpha); err != nil {
		return design, err
	}
	design.Alpha = o.alpha
	if few := new(stats.TooFewError); errors.As(design.Validate(), &few) {
		least := design
		for least.Alpha = 0.001; least.Validate() != nil; least.Alpha += 0.001 {
		}
		return design, fmt.Errorf("--alpha must be at least %.3g (got %v): the first %d pairs cannot decide anything below that", least.Alpha, o.alpha, design.At[0])
	}
	if err := design.Validate(); err != nil {
		return design, fmt.Errorf("--alpha %v, --margin %v: %w", o.alpha, o.margin, err)
	}
	return design, nil
}

// compare calls measure, stores and prints the verdict, and returns the command's result.
func (o *pairOptions) compare(ctx context.Context, measure func(*verdicts.Outcome) error) error {
	if err := o.out.Check(); err != nil {
		return err
	}
	design, err := o.design()
	if err != nil {
		return command.Usage(err)
	}
	if err := command.CheckRoot(o.root); err != nil {
		return command.Usage(err)
	}
	now := time.Now()
	v := &verdicts.Outcome{ID: results.NewID(now), Started: now.UTC(), Seed: o.seed, Design: design}
	if o.seed == 0 {
		v.Seed = uint64(now.UnixNano())
	}
	v.Records = filepath.Join(o.root, v.ID)
	err = measure(v)
	if ctx.Err() != nil {
		return command.NotMeasured(fmt.Errorf("interrupted: %w", context.Cause(ctx)))
	}
	if err != nil {
		return command.NotMeasured(err)
	}
	if err := abtest.StoreJSON(filepath.Join(v.Records, abtest.VerdictFile), v); err != nil {
		return command.NotMeasured(err)
	}
	return command.Exit(v.Exit, o.out.Write(o.stdout, Compared(v)))
}

// estimatePower prints the differences that the design can detect, before anything
// is measured.
func (o *pairOptions) estimatePower(v *verdicts.Outcome) error {
	if err := v.SetExpected(abtest.KnownNoise(o.root, v)); err != nil {
		return err
	}
	for _, text := range content.EstimatedPower(v) {
		o.Note(text)
	}
	return nil
}

// progressEvery is the number of pairs between two lines of progress.
const progressEvery = 4

// progress prints a line for every few pairs.
func (o *pairOptions) progress(pairs, most int) {
	if pairs%progressEvery != 0 {
		return
	}
	if pairs > most { // some pairs were invalid
		o.Note(fmt.Sprintf("pair %d, to replace invalid ones", pairs))
		return
	}
	o.Note(fmt.Sprintf("pair %d of at most %d", pairs, most))
}

// Compared returns a comparison of two programs as the result of a gate.
func Compared(v *verdicts.Outcome) command.GateResult {
	return command.GateResult{
		Judgment: ci.PairsJudgment(v),
		Text:     func(w io.Writer, o text.Options) error { return report.Pairs(w, v, o) },
		JSON:     func(w io.Writer) error { return report.PairsJSON(w, v) },
	}
}

// Open opens the verdict of gate diff or gate cmd by the path of its folder or file.
// It returns nil if none exists, because the path may be that of a run.
func Open(path string) (*verdicts.Outcome, error) {
	if filepath.Base(path) != abtest.VerdictFile {
		path = filepath.Join(path, abtest.VerdictFile)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v := new(verdicts.Outcome)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // a field of a later version may change the verdict
	if err := decoder.Decode(v); err != nil {
		return nil, fmt.Errorf("%s: not the verdict of a gate: %w", path, err)
	}
	if err := v.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
