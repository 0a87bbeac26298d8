package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"floodgate/bench/against"
	"floodgate/bench/machine"
	"floodgate/results"
	verdicts "floodgate/results/against"
	"floodgate/results/report"
	"floodgate/results/stats"
)

// defaultGates is where comparisons are stored, below the working folder.
const defaultGates = "results/gates"

// defaultMargin is the worsening that --against and --cmd-a let pass.
const defaultMargin = 0.05

// againstLong is what the help of gate says about both.
const againstLong = `gate --against REF [SCENARIO] builds that commit in a temporary folder and the
working tree as it is, and runs a scenario with both in turn (default: report, its
last level, its first bounded variant). The repository stays as it is, also after
Ctrl-C or a kill: no worktree, no reference and no index is written. In a module of
yours, --build ./PACKAGE names the program, which speaks the protocol of "go doc
floodgate/bench/sut". Where a scenario has a sut.command, its arguments stay.

gate --cmd-a COMMAND --cmd-b COMMAND runs any two commands in turn, without a
shell, timed from outside. Their standard output goes to a pipe that is read and
thrown away: some programs, such as grep and tar, recognize the null device and do
less work (--output null).

  Pairs are judged after numbers of them that are fixed beforehand, until it is
  clear whether B takes more than --margin (5%) longer. Errors, lost documents
  and descriptors are compared by count. The scenario's claims and thresholds
  are judged by "floodgate run", not here.`

// againstOptions are the flags of both.
type againstOptions struct {
	ref, build     string
	variants       []string
	level          string
	descriptors    int
	cmdA, cmdB     string
	metric, output string
	seed           uint64
	root           string
	quiet          bool
	environment    environmentFlags
	margin, alpha  float64
	out            *gateOutput
	stdout, stderr io.Writer
}

// registerRevisions are the flags of --against, registerCommands those of --cmd-a
// and --cmd-b, registerPairs those of both.
func (o *againstOptions) registerRevisions(flags *pflag.FlagSet) {
	flags.StringVar(&o.ref, "against", "", "compare the working tree with the git `commit`")
	flags.StringVar(&o.build, "build", "", "`package` that is the system under test, below this folder (in Floodgate's own module: ./bench)")
	flags.StringSliceVar(&o.variants, "variants", nil, "`names` of the variants, separated by commas (default: the first bounded one)")
	flags.StringVar(&o.level, "level", "", "`name` of the level, or its label (default: the last one)")
	flags.IntVar(&o.descriptors, "allow-descriptors", 10, "by how `many` open files the peak may grow")
	o.environment.register(flags)
}

func (o *againstOptions) registerCommands(flags *pflag.FlagSet) {
	flags.StringVar(&o.cmdA, "cmd-a", "", "`command` to compare --cmd-b with")
	flags.StringVar(&o.cmdB, "cmd-b", "", "`command` that may be worse")
	flags.StringVar(&o.metric, "metric", verdicts.Wall, "what decides between commands: `wall`, cpu or rss")
	flags.StringVar(&o.output, "output", against.OutputPipe, "where standard output goes: `pipe` (read and thrown away) or null (the null device)")
}

func (o *againstOptions) registerPairs(flags *pflag.FlagSet) {
	flags.Uint64Var(&o.seed, "seed", 0, "`seed` of the order inside the pairs (default: another one each time)")
	flags.BoolVar(&o.quiet, "quiet", false, "no progress")
}

// asked says whether the flags ask for one of the two.
func (o *againstOptions) asked() bool { return o.revisionsAsked() || o.commandsAsked() }

func (o *againstOptions) revisionsAsked() bool { return o.ref != "" }
func (o *againstOptions) commandsAsked() bool  { return o.cmdA != "" || o.cmdB != "" }

// checkArgs says what is wrong with the flags and arguments.
func (o *againstOptions) checkArgs(args []string) error {
	switch {
	case o.ref != "" && (o.cmdA != "" || o.cmdB != ""):
		return errors.New("--against and --cmd-a, --cmd-b: allowed is one of the two")
	case o.ref == "" && (o.cmdA == "" || o.cmdB == ""):
		return errors.New("--cmd-a and --cmd-b: both must be there")
	case o.ref == "" && len(args) > 0:
		return fmt.Errorf("%q: commands stand in --cmd-a and --cmd-b, with their arguments", args[0])
	case len(args) > 1:
		return fmt.Errorf("%d scenarios: allowed is one", len(args))
	case o.metric != verdicts.Wall && o.metric != verdicts.CPU && o.metric != verdicts.RSS:
		return fmt.Errorf("--metric %q: allowed are %s, %s and %s", o.metric, verdicts.Wall, verdicts.CPU, verdicts.RSS)
	case o.output != against.OutputPipe && o.output != against.OutputNull:
		return fmt.Errorf("unknown --output %q (want pipe or null)", o.output)
	case o.descriptors < 0:
		return fmt.Errorf("--allow-descriptors %d: allowed: 0 or more", o.descriptors)
	}
	return nil
}

// run compares, prints, and returns the exit code.
func (o *againstOptions) run(ctx context.Context, args []string) (int, error) {
	design := stats.DefaultLooks()
	design.Alpha, design.Margin = o.alpha, o.margin
	if few := new(stats.TooFewError); errors.As(design.Validate(), &few) {
		least := design
		for least.Alpha = 0.001; least.Validate() != nil; least.Alpha += 0.001 {
		}
		return exitUsage, fmt.Errorf("--alpha %v: no %d pairs, after which the first look is, can say anything with so little; allowed: from %.3g to below 1", o.alpha, design.At[0], least.Alpha)
	}
	if err := design.Validate(); err != nil {
		return exitUsage, fmt.Errorf("--alpha %v, --margin %v: %w", o.alpha, o.margin, err)
	}
	if err := checkRoot(o.root); err != nil {
		return exitUsage, err
	}
	now := time.Now()
	v := &verdicts.Verdict{ID: results.NewID(now), Started: now.UTC(), Seed: o.seed, Design: design}
	if o.seed == 0 {
		v.Seed = uint64(now.UnixNano())
	}
	v.Records = filepath.Join(o.root, v.ID)
	var err error
	if o.ref != "" {
		err = o.revisions(ctx, v, args)
	} else {
		err = o.commands(ctx, v)
	}
	if ctx.Err() != nil {
		return exitUnmeasured, fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	if err != nil {
		return codeOf(err)
	}
	if err := against.StoreJSON(filepath.Join(v.Records, against.VerdictFile), v); err != nil {
		return exitUnmeasured, err
	}
	return v.Exit, printAgainst(o.stdout, v, o.out)
}

// commands compares two commands.
func (o *againstOptions) commands(ctx context.Context, v *verdicts.Verdict) error {
	a, err := against.Split(o.cmdA)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("--cmd-a: %w", err))
	}
	b, err := against.Split(o.cmdB)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("--cmd-b: %w", err))
	}
	v.Kind, v.A.Name, v.B.Name = verdicts.Commands, o.cmdA, o.cmdB
	v.Machine, v.Output = machine.Fingerprint(ctx), o.output
	if o.output == against.OutputNull {
		v.Notes = append(v.Notes, nullNote)
	}
	if err := verdicts.JudgePairs(v, verdicts.Commanded{Metric: o.metric}); err != nil {
		return err
	}
	if err := o.foresee(v); err != nil {
		return err
	}
	log, err := against.NewLog(filepath.Join(v.Records, against.PairsFile))
	if err != nil {
		return err
	}
	defer log.Close()
	return against.RunCommands(ctx, v, against.Commands{
		A: a, B: b, Metric: o.metric, Measure: against.Measuring(o.output), Log: log, Progress: o.progress,
	})
}

// nullNote is what a reader must know of commands without a reader of their output.
const nullNote = "standard output was the null device: programs such as grep and tar recognize it and do less work, so that the times may not be those of a real use; --output pipe has them do all of it"

// foresee tells what the design can do, before anything is measured.
func (o *againstOptions) foresee(v *verdicts.Verdict) error {
	if err := v.Foresee(against.Known(o.root, v)); err != nil {
		return err
	}
	for _, text := range report.Foreseen(v) {
		o.note(text)
	}
	return nil
}

// progressEvery is after how many pairs a line tells of them.
const progressEvery = 4

// progress tells of some pairs.
func (o *againstOptions) progress(pairs, most int) {
	if pairs%progressEvery != 0 {
		return
	}
	if pairs > most { // only where some were not valid
		o.note(fmt.Sprintf("pair %d, to make up for those that do not count", pairs))
		return
	}
	o.note(fmt.Sprintf("pair %d of at most %d", pairs, most))
}

// note tells the user something at once.
func (o *againstOptions) note(text string) {
	if !o.quiet {
		fmt.Fprintln(o.stderr, strings.TrimSpace(text))
	}
}
