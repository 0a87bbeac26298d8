package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/abtest"
	"floodgate/bench/cli/command"
	"floodgate/bench/experiment"
	"floodgate/bench/machine"
	"floodgate/results"
	verdicts "floodgate/results/pairs"
	"floodgate/results/stats"
)

// selfTestOptions are the flags of "gate selftest".
type selfTestOptions struct {
	command.Notes
	time           time.Duration
	margin, format string
	root           string
	appendTo, show string
	seed           uint64
	environment    command.EnvironmentFlags
	stdout         io.Writer
}

func newSelfTest(stdout, stderr io.Writer) *cobra.Command {
	o := selfTestOptions{stdout: stdout, Notes: command.Notes{Stderr: stderr}}
	cmd := &cobra.Command{
		Use:   "selftest",
		Short: "Measure what a gate detects on this machine, now",
		Example: `  floodgate gate selftest
  floodgate gate selftest --time 30m --margin 5%
  floodgate gate selftest --append results/selftest.jsonl
  floodgate gate selftest --show results/selftest.jsonl`,
		Long: `Runs gates with known outcomes: a program against itself (how often is it called
worse?), and against itself with 5 % and 10 % more upstream latency, with
20 more open descriptors, and with one lost write (how often is that found?).

--append FILE adds the figures to a series, one line a test; --show FILE prints
a series, with the rates of all tests together, and measures nothing.

Exit codes: 0 passed; 1 too many false alarms, or a missed descriptor or write;
3 inconclusive in this time; 4 not measured, or interrupted.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	o.environment.Register(flags)
	flags.DurationVar(&o.time, "time", 10*time.Minute, "`duration` of the test")
	flags.StringVar(&o.margin, "margin", "2%", "`percent` that times may grow")
	flags.StringVar(&o.root, "out", defaultGates, "storage `folder`")
	flags.StringVar(&o.appendTo, "append", "", "add the figures to the series in `FILE`")
	flags.StringVar(&o.show, "show", "", "print the series in `FILE`, without a test")
	cmd.MarkFlagsMutuallyExclusive("append", "show")
	flags.Uint64Var(&o.seed, "seed", 0, "`seed` of the order (default random)")
	o.Flag(flags)
	command.SelfTestFormats.Flag(flags, &o.format)
	return cmd
}

func (o *selfTestOptions) run(ctx context.Context) error {
	if o.show != "" {
		return o.showSeries()
	}
	design := stats.DefaultDesign()
	var err error
	if design.Margin, err = parseMargin("--margin", o.margin); err != nil {
		return command.Usage(err)
	}
	if err := command.SelfTestFormats.Check(o.format); err != nil {
		return command.NotMeasured(err)
	}
	if o.time <= 0 {
		return command.Usage(fmt.Errorf("--time must be positive, such as 10m (got %v)", o.time))
	}
	if err := command.CheckRoot(o.root); err != nil {
		return command.Usage(err)
	}
	series, err := openSeries(o.appendTo)
	if err != nil {
		return command.Usage(err)
	}
	defer series.Close()
	now := time.Now()
	s := &verdicts.SelfTestOutcome{ID: results.NewID(now), Started: now.UTC(), Time: o.time, Design: design, Seed: o.seed}
	if o.seed == 0 {
		s.Seed = uint64(now.UnixNano())
	}
	s.Machine, s.Records = machine.Fingerprint(ctx), filepath.Join(o.root, s.ID)
	err = o.measure(ctx, s)
	if ctx.Err() != nil {
		return command.NotMeasured(fmt.Errorf("interrupted: %w", context.Cause(ctx)))
	}
	if err != nil {
		return command.NotMeasured(err)
	}
	if err := abtest.StoreJSON(filepath.Join(s.Records, abtest.SelfTestFile), s); err != nil {
		return command.NotMeasured(err)
	}
	if err := series.add(s); err != nil {
		return command.NotMeasured(err)
	}
	return command.Exit(s.Exit, command.SelfTestFormats.Print(o.stdout, o.format, s))
}

func (o *selfTestOptions) measure(ctx context.Context, s *verdicts.SelfTestOutcome) (err error) {
	scenario, err := abtest.SelfTestScenario()
	if err != nil {
		return err
	}
	setup, err := o.environment.Prepare(scenario, o.Note)
	if err != nil {
		return err
	}
	defer setup.Close()
	s.Machine.Pinning = setup.Pinning.String()
	env, err := setup.Start(ctx, o.root, s.ID, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.Close()) }()
	if !env.Mock() {
		return command.Usage(errors.New("gate selftest slows the upstream down, which needs our mock: leave out --upstream-url"))
	}
	log, err := abtest.NewLog(filepath.Join(s.Records, abtest.SelfTestLog))
	if err != nil {
		return err
	}
	defer log.Close()
	trials := experiment.NewTrials(env, setup.Options.Executable, s.ID)
	trials.Cores = setup.Pinning.SUT
	return abtest.RunSelfTest(ctx, s, abtest.SelfTest{
		Tester: trials, Time: o.time, Now: time.Now, Benchmark: abtest.Benchmark, Log: log, Note: o.Note,
		Progress: func(blocks int, left time.Duration) {
			if blocks%progressEvery == 0 {
				o.Note(fmt.Sprintf("block %d, %v left", blocks, max(left, 0).Round(time.Second)))
			}
		},
	})
}

// series is the file that --append names; nil means none.
type series struct{ file *os.File }

// openSeries opens or creates the file at path, and returns an error unless it is a series.
func openSeries(path string) (*series, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--append: %w", err)
	}
	if _, err := verdicts.ReadSelfTests(path, f); err != nil {
		return nil, errors.Join(fmt.Errorf("--append: %w", err), f.Close())
	}
	return &series{f}, nil
}

// add appends the test in one write, so that tests of two processes do not mix.
func (s *series) add(test *verdicts.SelfTestOutcome) error {
	if s == nil {
		return nil
	}
	line, err := test.AppendLine(nil)
	if err != nil {
		return err
	}
	if _, err = s.file.Write(line); err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("--append: %w", err)
	}
	return nil
}

// Close closes the file.
func (s *series) Close() {
	if s != nil {
		s.file.Close()
	}
}

// showSeries prints the series that --show names.
func (o *selfTestOptions) showSeries() error {
	if err := command.SeriesFormats.Check(o.format); err != nil {
		return command.NotMeasured(err)
	}
	f, err := os.Open(o.show)
	if err != nil {
		return command.Usage(fmt.Errorf("--show: %w", err))
	}
	defer f.Close()
	all, err := verdicts.ReadSelfTests(o.show, f)
	if err != nil {
		return command.Usage(fmt.Errorf("--show: %w", err))
	}
	return command.SeriesFormats.Print(o.stdout, o.format, all)
}
