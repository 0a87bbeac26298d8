package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/against"
	"floodgate/bench/experiment"
	"floodgate/bench/machine"
	"floodgate/results"
	verdicts "floodgate/results/against"
	"floodgate/results/report"
	"floodgate/results/stats"
)

// selfTestOptions are the flags of "gate selftest".
type selfTestOptions struct {
	time           time.Duration
	margin, format string
	root           string
	seed           uint64
	quiet          bool
	environment    environmentFlags
	stdout, stderr io.Writer
}

func newSelfTest(stdout, stderr io.Writer) *cobra.Command {
	o := selfTestOptions{stdout: stdout, stderr: stderr}
	cmd := &cobra.Command{
		Use:   "selftest",
		Short: "Find out what a gate detects on this machine, now",
		Long: `Runs gates on this machine whose truth is known: a program against itself (how
often is it called worse?), and against itself with 5 % and 10 % more upstream
latency, with 20 descriptors held open, and with one lost write (how often is that
found?). It says what this machine can and cannot detect in the time given.

Exit codes: 0 it held; 1 it calls worse what is the same more often
than it may, or misses a descriptor or a write; 3 there was too little time to
tell; 4 it could not be measured, or was interrupted.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			code, err := o.run(cmd.Context())
			return exit(code, err)
		},
	}
	flags := cmd.Flags()
	o.environment.register(flags)
	flags.DurationVar(&o.time, "time", 10*time.Minute, "how `long` to measure")
	flags.StringVar(&o.margin, "margin", "2%", "worsening that the gates let pass, in `percent`")
	flags.StringVar(&o.format, "format", formatText, "text or json")
	flags.StringVar(&o.root, "out", defaultGates, "`folder` that it is stored in")
	flags.Uint64Var(&o.seed, "seed", 0, "`seed` of the order of trials (default: another one each time)")
	flags.BoolVar(&o.quiet, "quiet", false, "no progress")
	return cmd
}

func (o *selfTestOptions) run(ctx context.Context) (int, error) {
	design := stats.DefaultLooks()
	var err error
	if design.Margin, err = parseMargin("--margin", o.margin); err != nil {
		return exitUsage, err
	}
	switch {
	case o.format != formatText && o.format != formatJSON:
		return codeOf(badFormat(o.format, formatText, formatJSON))
	case o.time <= 0:
		return exitUsage, fmt.Errorf("--time %v: allowed: above 0, such as 10m", o.time)
	}
	if err := checkRoot(o.root); err != nil {
		return exitUsage, err
	}
	now := time.Now()
	s := &verdicts.SelfTested{ID: results.NewID(now), Started: now.UTC(), Time: o.time, Design: design, Seed: o.seed}
	if o.seed == 0 {
		s.Seed = uint64(now.UnixNano())
	}
	s.Machine, s.Records = machine.Fingerprint(ctx), filepath.Join(o.root, s.ID)
	err = o.measure(ctx, s)
	if ctx.Err() != nil {
		return exitUnmeasured, fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	if err != nil {
		return codeOf(err)
	}
	if err := against.StoreJSON(filepath.Join(s.Records, "selftest.json"), s); err != nil {
		return exitUnmeasured, err
	}
	if o.format == formatJSON {
		return s.Exit, report.SelfTestJSON(o.stdout, s)
	}
	return s.Exit, report.SelfTest(o.stdout, s, terminal(o.stdout))
}

func (o *selfTestOptions) measure(ctx context.Context, s *verdicts.SelfTested) (err error) {
	scenario, err := against.SelfTestScenario()
	if err != nil {
		return err
	}
	setup, err := o.environment.prepare(scenario, o.note)
	if err != nil {
		return err
	}
	defer setup.close()
	env, err := setup.start(ctx, o.root, s.ID, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.Close()) }()
	if !env.Mock() {
		return exit(exitUsage, errors.New("gate selftest makes the upstream slower, so it must be a mock of ours; allowed: no --upstream-url"))
	}
	log, err := against.NewLog(filepath.Join(s.Records, "trials.jsonl"))
	if err != nil {
		return err
	}
	defer log.Close()
	return against.RunSelfTest(ctx, s, against.SelfTest{
		Tester: experiment.NewTrials(env, setup.options.Executable, s.ID), Time: o.time, Now: time.Now, Log: log, Note: o.note,
		Progress: func(blocks int, left time.Duration) {
			if blocks%progressEvery == 0 {
				o.note(fmt.Sprintf("block %d, %v left", blocks, max(left, 0).Round(time.Second)))
			}
		},
	})
}

// note tells the user something at once.
func (o *selfTestOptions) note(text string) {
	if !o.quiet {
		fmt.Fprintln(o.stderr, text)
	}
}
