package gate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/claims"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// baselineOptions are the flags of "gate baseline".
type baselineOptions struct {
	file, margin, shareMargin, root, scenario, openShares string
	strictTimes, update                                   bool
	out                                                   Output
}

func newGateBaseline(stdout io.Writer) *cobra.Command {
	var o baselineOptions
	cmd := &cobra.Command{
		Use:   "baseline RUN",
		Short: "Judge a run by its claims and against a committed baseline",
		Example: `  floodgate gate baseline latest --update  # once: make the baseline
  floodgate gate baseline latest           # then: is a later run worse?`,
		Long: `On the baseline's machine all metrics are compared. On another one only those
that do not depend on it are; the rest is listed as not comparable.

Counts have hard limits: lost writes, descriptors, errors, unfinished trials.
Reduction, efficiency and allocations fail where their whole 95 % interval is
worse than --share-margin, and are inconclusive where a part of it is. Times,
CPU time and memory warn beyond --margin: on shared machines they often differ
by chance. Metrics that only the baseline has fail.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, stdout, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.file, "baseline", "", "`file` (default "+baseline.Folder+"/SCENARIO[.quick].yaml)")
	flags.BoolVar(&o.update, "update", false, "write the baseline from the run, and show what changes")
	flags.StringVar(&o.margin, "margin", fmt.Sprintf("%g%%", 100*baseline.DefaultMargin), "`percent` that times and memory may grow")
	flags.StringVar(&o.shareMargin, "share-margin", fmt.Sprintf("%g%%", 100*baseline.DefaultShareMargin), "`percent` that shares and allocations may worsen")
	flags.StringVar(&o.openShares, "open-shares", "fail", "inconclusive shares with an estimate within the margin: `fail` (exit code 3) or warn")
	flags.BoolVar(&o.strictTimes, "strict-times", false, "let times, CPU time and memory decide")
	flags.StringVar(&o.scenario, "scenario", "", "scenario `file` that annotations point at")
	flags.StringVar(&o.root, "out", command.DefaultRoot, "`folder` of stored runs")
	o.out.flags(cmd)
	cmd.MarkFlagsMutuallyExclusive("update", "format")
	cmd.MarkFlagsMutuallyExclusive("update", "github")
	return cmd
}

// options returns the options of the comparison with the baseline.
func (o *baselineOptions) options() (baseline.Options, error) {
	b := baseline.Options{StrictTimes: o.strictTimes, OpenSharesWarn: o.openShares == "warn"}
	if o.openShares != "fail" && o.openShares != "warn" {
		return b, fmt.Errorf("unknown --open-shares %q (want fail or warn)", o.openShares)
	}
	var err error
	if b.Margin, err = parseMargin("--margin", o.margin); err != nil {
		return b, err
	}
	b.ShareMargin, err = parseMargin("--share-margin", o.shareMargin)
	return b, err
}

// run judges a run against its baseline, or creates a baseline from it.
func (o *baselineOptions) run(cmd *cobra.Command, stdout io.Writer, name string) error {
	if err := o.out.Check(); err != nil {
		return err
	}
	options, err := o.options()
	if err != nil {
		return command.Usage(err)
	}
	run, err := command.OpenRun(o.root, name)
	if err != nil {
		return command.Usage(err)
	}
	file, err := o.path(cmd, run)
	if err != nil {
		return command.Usage(err)
	}
	stored, err := baseline.Read(file)
	if o.update {
		return updateBaseline(stdout, file, stored, err, run)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("baseline %s does not exist: name another with --baseline, or make one from this run: %s %s --update", file, cmd.CommandPath(), name)
	}
	if err != nil {
		return command.Usage(err)
	}
	v, err := baseline.Gate(file, stored, run, options)
	if err != nil {
		return command.Usage(err)
	}
	j, err := command.JudgedRun(run, v.Run, o.scenario)
	if err != nil {
		return err
	}
	err = o.out.Write(stdout, command.GateResult{
		Judgment: ci.BaselineJudgment(j, v, fmt.Sprintf("%s %s --baseline %s", cmd.CommandPath(), filepath.Dir(run.Path), file)),
		Text:     func(w io.Writer, o text.Options) error { return report.Baseline(w, v, o) },
		JSON:     func(w io.Writer) error { return report.BaselineJSON(w, v) },
	})
	if err != nil {
		return err
	}
	return command.Exit(v.Exit, command.Unfinished(run, v.Run))
}

// path returns the baseline's file: the value of --baseline, or the default of the
// scenario.
func (o *baselineOptions) path(cmd *cobra.Command, run *results.Run) (string, error) {
	usual := baseline.Path(run.Header.ScenarioName, run.Header.Quick)
	switch info, err := os.Stat(o.file); {
	case o.file == "" && cmd.Flags().Changed("baseline"): // often an unset variable
		return "", errors.New("--baseline is empty: name a file, or leave the flag out")
	case o.file == "" && !command.RunName.MatchString(run.Header.ScenarioName):
		return "", fmt.Errorf("the scenario's name %q is not a valid file name: name a file with --baseline", run.Header.ScenarioName)
	case o.file == "":
		return usual, nil
	case err == nil && info.IsDir():
		return "", fmt.Errorf("--baseline %s is a folder: name a file, such as %s", o.file, filepath.Join(o.file, filepath.Base(usual)))
	}
	return o.file, nil
}

// updateBaseline writes the baseline of the run. It refuses a run with failures, and a
// file with the baseline of another scenario. readErr is the error of reading the old
// baseline, which is replaced even if it is corrupt.
func updateBaseline(stdout io.Writer, file string, old *baseline.Baseline, readErr error, run *results.Run) error {
	b, err := baseline.FromRun(run)
	if refused := new(baseline.RefusedError); errors.As(err, &refused) {
		code := verdict.ExitFailed
		if v, err := claims.Judge(run); err == nil && v.Exit != verdict.ExitPassed {
			code = v.Exit
		}
		return command.Exit(code, refused)
	} else if err != nil {
		return command.Usage(err)
	}
	if old != nil && (old.Scenario != b.Scenario || old.Quick != b.Quick) {
		return command.Usage(fmt.Errorf("%s is the baseline of %s, not of %s: name another file with --baseline", file,
			baseline.Path(old.Scenario, old.Quick), baseline.Path(b.Scenario, b.Quick)))
	}
	if err := b.Write(file); err != nil {
		return command.Usage(fmt.Errorf("write baseline %s: %w", file, err))
	}
	if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
		fmt.Fprintf(stdout, "replaced %s, which could not be read:\n%v\n", file, readErr)
	}
	return report.BaselineChanges(stdout, file, old, b, command.Terminal(stdout))
}
