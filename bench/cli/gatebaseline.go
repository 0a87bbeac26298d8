package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/gate"
	"floodgate/results/report"
	"floodgate/results/report/text"
)

// baselineFlags are those of "gate RUN".
type baselineFlags struct {
	file, shareMargin, root, scenario, openShares string
	strictTimes, update                           bool
}

func (b *baselineFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&b.file, "baseline", "", "`file` to compare a run with (default "+baseline.Folder+"/SCENARIO[.quick].yaml)")
	flags.StringVar(&b.shareMargin, "share-margin", fmt.Sprintf("%g%%", 100*baseline.DefaultShareMargin), "worsening of reduction, efficiency and allocations that is allowed, in `percent`")
	flags.StringVar(&b.openShares, "open-shares", "fail", "what a reduction or efficiency does that noise leaves open, though its estimate is within the limit: `fail` (exit code 3) or warn")
	flags.BoolVar(&b.strictTimes, "strict-times", false, "have times, CPU time and memory decide, not warn")
	flags.BoolVar(&b.update, "update-baseline", false, "write the baseline anew from the run, and show what changes")
	flags.StringVar(&b.scenario, "scenario", "", "scenario `file` of the run, for junit, sarif and github to point at; relative to the root of the repository")
}

// run judges a run against its baseline, or makes the baseline of it.
func (b *baselineFlags) run(cmd *cobra.Command, stdout io.Writer, name string, margin float64, out *gateOutput) error {
	if b.openShares != "fail" && b.openShares != "warn" {
		return exit(exitUsage, fmt.Errorf("unknown --open-shares %q (want fail or warn)", b.openShares))
	}
	o := baseline.Options{Margin: margin, StrictTimes: b.strictTimes, OpenSharesWarn: b.openShares == "warn"}
	var err error
	if o.ShareMargin, err = parseMargin("--share-margin", b.shareMargin); err != nil {
		return exit(exitUsage, err)
	}
	run, err := openRun(b.root, name)
	if err != nil {
		return exit(exitUsage, err)
	}
	if b.update && (out.format != formatText || out.github) {
		return exit(exitUsage, errors.New("--update-baseline prints text: allowed is --format text"))
	}
	file := b.file
	if file == "" {
		if !runName.MatchString(run.Header.ScenarioName) {
			return exit(exitUsage, fmt.Errorf("the scenario's name %q is no file's: name one with --baseline", run.Header.ScenarioName))
		}
		file = baseline.Path(run.Header.ScenarioName, run.Header.Quick)
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return exit(exitUsage, fmt.Errorf("--baseline %s is a folder; allowed: a file, such as %s", file,
			filepath.Join(file, filepath.Base(baseline.Path(run.Header.ScenarioName, run.Header.Quick)))))
	}
	stored, err := baseline.Read(file)
	if b.update {
		return updateBaseline(stdout, file, stored, err, run)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no baseline %s: name one with --baseline, or make it of this run: %s %s --update-baseline", file, cmd.CommandPath(), name)
	}
	if err != nil {
		return exit(exitUsage, err)
	}
	v, err := baseline.Gate(file, stored, run, o)
	if err != nil {
		return exit(exitUsage, err)
	}
	j, err := judgedRun(run, v.Run, b.scenario)
	if err != nil {
		return err
	}
	err = out.write(stdout, report.BaselineJudgement(j, v, fmt.Sprintf("%s %s --baseline %s", cmd.CommandPath(), filepath.Dir(run.Path), file)),
		func(w io.Writer, o text.Options) error { return report.Baseline(w, v, o) },
		func(w io.Writer) error { return report.BaselineJSON(w, v) })
	if err != nil {
		return err
	}
	return exit(v.Exit, unfinished(run, v.Run))
}

// updateBaseline writes file anew, unless the run is no good. What is there,
// with the error of reading it, is replaced whatever it is, unless it is of
// another scenario.
func updateBaseline(stdout io.Writer, file string, old *baseline.Baseline, readErr error, run *results.Run) error {
	b, err := baseline.FromRun(run)
	if refused := new(baseline.RefusedError); errors.As(err, &refused) {
		code := exitFailed
		if v, err := gate.Judge(run); err == nil && v.Exit != exitHeld {
			code = v.Exit
		}
		return exit(code, refused)
	} else if err != nil {
		return exit(exitUsage, err)
	}
	if old != nil && (old.Scenario != b.Scenario || old.Quick != b.Quick) {
		return exit(exitUsage, fmt.Errorf("%s is the baseline of %s, not of %s: name another file with --baseline", file,
			baseline.Path(old.Scenario, old.Quick), baseline.Path(b.Scenario, b.Quick)))
	}
	if err := b.Write(file); err != nil {
		return exit(exitUsage, fmt.Errorf("write baseline %s: %w", file, err))
	}
	if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
		fmt.Fprintf(stdout, "what was there could not be read, and is replaced:\n%v\n", readErr)
	}
	return report.BaselineChanges(stdout, file, old, b, terminal(stdout))
}
