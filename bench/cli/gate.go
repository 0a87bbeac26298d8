package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/mockupstream/strictyaml"
	"floodgate/results/baseline"
)

// gateOptions are the flags of "gate", of which each way of judging takes some.
type gateOptions struct {
	margin, root string
	alpha        float64
	out          gateOutput
	baseline     baselineFlags
	bench        benchFlags
	versus       againstOptions
	sets         []way
}

// way of judging, and the flags that it alone takes.
type way struct {
	name     string
	asked    func() bool
	register func(*pflag.FlagSet)
	flags    *pflag.FlagSet
}

func (o *gateOptions) ways() []way {
	set := func() *pflag.FlagSet { return pflag.NewFlagSet("gate", pflag.ContinueOnError) }
	return []way{
		{"RUN", func() bool { return !o.bench.asked && !o.versus.asked() }, o.baseline.register, set()},
		{"--go-bench", func() bool { return o.bench.asked }, o.bench.register, set()},
		{"--against", o.versus.revisionsAsked, o.versus.registerRevisions, set()},
		{"--cmd-a and --cmd-b", o.versus.commandsAsked, o.versus.registerCommands, set()},
		{"--against and gate --cmd-a", o.versus.asked, o.versus.registerPairs, set()},
	}
}

// only says which flag is of another way of judging than the one asked for: it
// would do nothing.
func (o *gateOptions) only() error {
	var wrong error
	for _, w := range o.sets {
		if w.asked() {
			continue
		}
		w.flags.VisitAll(func(f *pflag.Flag) {
			if f.Changed && wrong == nil {
				wrong = fmt.Errorf("--%s is for gate %s; see floodgate gate --help", f.Name, w.name)
			}
		})
	}
	return wrong
}

const gateLong = `Says whether something got worse, as one verdict and one exit code.

gate RUN judges a stored run, named as "report" takes it, by its own claims and
thresholds and against a committed baseline.

  On the baseline's machine all metrics are compared, block by block where both
  made the same draws. On another one only what does not depend on it: reduction,
  efficiency, allocations, descriptors, errors and writes. The rest is listed as
  not comparable.
  Times, CPU time and memory (--margin, 10%) warn: on shared machines about one
  in four comparisons of times with a stored run shows a difference that is none.
  With --strict-times they decide, makespans after Holm's correction.
  Reduction, efficiency and allocations (--share-margin) decide: worse where the
  whole 95 % interval of the cost lies above the margin, inconclusive where a
  part does: one that noise spreads though its estimate is within the limit only
  warns with --open-shares warn. The cost of a reduction is the time as a share of that one by one.
  Counts have hard limits: no write broken, no descriptor left and no trial
  unfinished more than in the baseline; errors of a type that it has 10% more,
  others none; a peak of descriptors 2 or 5% more, up to the predicted bound 10
  or 15%.
  What the baseline has and the run has not fails.
  --update-baseline writes the file from the run, and shows what changes. Runs
  that are not finished, did not hold or broke writes are refused.

gate --go-bench OLD NEW judges two outputs of "go test -bench": benchstat's table
and a verdict on every benchmark in every unit. "-" in place of one file is the
standard input.

  A benchmark is worse when the Mann-Whitney test says that it differs, to the
  bad side, with a p of at most --alpha after Holm's correction over all
  comparisons, and when its median is worse by more than --margin (0%: by however
  little). Lower is better for ns/op, B/op and allocs/op, higher for MB/s; for
  other units lines such as "Unit p99-ns better=lower" say so. Improvements are
  shown, no more.
  Measurements that the old file has and the new one has not are an error without
  --allow-missing, and different goos, goarch, cpu, scenario or environment lines
  without --allow-mixed. Log output between results is ignored; where it was
  written between a benchmark's name and its result, that line is an error.

` + againstLong + `

Exit code 0 says that nothing got worse; 1 that something did, or that a claim or
a threshold of the run failed; 2 that a flag or a file is wrong; 3 that it could
not be decided, such as with too few samples (it says how many it takes); 4 that it
could not be measured or that nothing was compared, whatever else is allowed.`

func newGate(stdout, stderr io.Writer) *cobra.Command {
	o := gateOptions{versus: againstOptions{stdout: stdout, stderr: stderr}}
	cmd := &cobra.Command{
		Use:   "gate {RUN | --go-bench OLD NEW | --against REF [SCENARIO] | --cmd-a COMMAND --cmd-b COMMAND}",
		Short: "Judge whether a run, a revision, a command or Go benchmarks got worse",
		Long:  gateLong,
		Args:  o.checkArgs,
		RunE:  func(cmd *cobra.Command, args []string) error { return o.run(cmd, stdout, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.margin, "margin", "", "worsening that is allowed, in `percent`: of a run's times, CPU time and memory (default 10%), of revisions and commands (default 5%), of a benchmark's median (default 0%)")
	flags.Float64Var(&o.alpha, "alpha", 0.05, "allowed `probability` of calling anything different that is not")
	flags.StringVar(&o.root, "out", "", "`folder` that runs are stored in (default "+defaultRoot+"), or with --against and --cmd-a comparisons (default "+defaultGates+")")
	o.out.flags(cmd)
	for _, w := range o.ways() {
		w.register(w.flags)
		flags.AddFlagSet(w.flags)
		o.sets = append(o.sets, w)
	}
	cmd.AddCommand(newSelfTest(stdout, stderr))
	return cmd
}

func (o *gateOptions) checkArgs(cmd *cobra.Command, args []string) error {
	for _, name := range []string{"against", "cmd-a", "cmd-b", "baseline"} { // often a variable that is not set
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return fmt.Errorf("--%s is empty; see floodgate gate --help for what is allowed", name)
		}
	}
	switch {
	case o.versus.asked() && o.bench.asked:
		return errors.New("gate what? allowed is one of RUN, --go-bench OLD NEW, --against REF [SCENARIO], and --cmd-a COMMAND --cmd-b COMMAND")
	case o.versus.asked():
		return o.versus.checkArgs(args)
	case o.bench.asked && len(args) != 2:
		return fmt.Errorf("%d files: allowed are two, OLD and NEW", len(args))
	case !o.bench.asked && len(args) != 1:
		return fmt.Errorf("%d runs: allowed is one RUN, or --go-bench OLD NEW, --against REF, --cmd-a COMMAND --cmd-b COMMAND", len(args))
	case !o.bench.asked && strictyaml.Nearest(args[0], commandNames(cmd)) != "" && !hasRun(args[0]) && !hasRun(filepath.Join(cmp.Or(o.root, defaultRoot), args[0])):
		return unknownCommand(cmd, args[0])
	}
	return nil
}

func (o *gateOptions) run(cmd *cobra.Command, stdout io.Writer, args []string) error {
	if err := o.out.check(); err != nil {
		return err
	}
	if err := o.only(); err != nil {
		return exit(exitUsage, err)
	}
	if cmd.Flags().Changed("alpha") && !o.bench.asked && !o.versus.asked() {
		return exit(exitUsage, errors.New("--alpha is for gate --go-bench, --against and --cmd-a: the intervals of a RUN are at 95 %"))
	}
	if !(o.alpha > 0 && o.alpha < 1) {
		return exit(exitUsage, fmt.Errorf("--alpha %v: allowed is between 0 and 1, such as 0.05", o.alpha))
	}
	preset := baseline.DefaultMargin
	switch {
	case o.versus.asked():
		preset = defaultMargin
	case o.bench.asked:
		preset = 0
	}
	margin, err := parseMargin("--margin", cmp.Or(o.margin, fmt.Sprintf("%g%%", 100*preset)))
	if err != nil {
		return exit(exitUsage, err)
	}
	switch {
	case o.versus.asked():
		o.versus.margin, o.versus.alpha, o.versus.root, o.versus.out = margin, o.alpha, cmp.Or(o.root, defaultGates), &o.out
		code, err := o.versus.run(cmd.Context(), args)
		return exit(code, err)
	case o.bench.asked:
		o.bench.Margin, o.bench.Alpha = margin, o.alpha
		return o.bench.run(cmd, stdout, args, &o.out)
	}
	o.baseline.root = cmp.Or(o.root, defaultRoot)
	return o.baseline.run(cmd, stdout, args[0], margin, &o.out)
}

// parseMargin reads "5%" as 0.05.
func parseMargin(flag, s string) (float64, error) {
	if err := strictyaml.CheckZeros(s); err != nil {
		return 0, fmt.Errorf("%s: %w", flag, err)
	}
	number, ok := strings.CutSuffix(s, "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil || !(x >= 0 && x <= 1e6) {
		return 0, fmt.Errorf("%s %q: allowed is a percentage from 0%% to 1000000%%, such as 5%%", flag, s)
	}
	return x / 100, nil
}
