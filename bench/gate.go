package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"floodgate/results/gobench"
	"floodgate/results/report"
)

func newGate(stdout io.Writer) *cobra.Command {
	var margin string
	var out gateOutput
	var goBench bool
	var o gobench.Options
	var b baselineFlags
	cmd := &cobra.Command{
		Use:   "gate RUN | gate --go-bench OLD NEW",
		Short: "Judge whether a run got worse than its baseline, or Go benchmarks than others",
		Long: `Judges a stored run, named as "report" takes it, by its own claims and against
a committed baseline: one verdict and one exit code.

  On the baseline's machine all metrics are compared, block by block where both
  made the same draws. On another one only what does not depend on it: reduction,
  efficiency, allocations, descriptors, errors and writes. The rest is listed as
  not comparable.
  Times, CPU time and memory (--margin, 10%) warn: on shared machines about one
  in four comparisons of times with a stored run shows a difference that is none.
  With --strict-times they decide, makespans after Holm's correction.
  Reduction, efficiency and allocations (--share-margin) decide: worse where the
  whole 95 % interval of the cost lies above the margin, inconclusive where a
  part does. The cost of a reduction is the time as a share of that one by one.
  Counts have hard limits: no write broken, no descriptor left and no trial
  unfinished more than in the baseline; errors of a type that it has 10% more,
  others none; a peak of descriptors 2 or 5% more, up to the predicted bound 10
  or 15%.
  What the baseline has and the run has not fails.

--update-baseline writes the file from the run, and shows what changes. Runs that
are not finished, did not hold or broke writes are refused.

With --go-bench it judges two outputs of "go test -bench": benchstat's table, a verdict on every
benchmark in every unit, and an exit code. "-" in place of one file is the
standard input.

A benchmark is worse when the Mann-Whitney test says that it differs, to the bad
side, with a p of at most --alpha after Holm's correction over all comparisons,
and when its median is worse by more than --margin (0%: by however little). Lower
is better for ns/op, B/op and allocs/op, higher for MB/s; for other units lines
such as "Unit p99-ns better=lower" say so. Improvements are shown, no more.

Measurements that the old file has and the new one has not are an error without
--allow-missing, and different goos, goarch, cpu, scenario or environment lines
without --allow-mixed.

Exit code 0 says that nothing got worse; 1 that something did, or that a claim of
the run failed; 2 that a file is wrong; 3 that it could not be decided, such as
with too few samples (it says how many it takes) or nothing to compare; 4 that
the run was not measured.`,
		Args: func(_ *cobra.Command, args []string) error {
			if !goBench && len(args) != 1 {
				return fmt.Errorf("%d runs: allowed is one RUN, or --go-bench OLD NEW", len(args))
			}
			if goBench && len(args) != 2 {
				return fmt.Errorf("%d files: allowed are two, OLD and NEW", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !goBench {
				return b.run(cmd, stdout, args[0], margin, &out)
			}
			var err error
			if o.Margin, err = parseMargin("--margin", cmp.Or(margin, "0%")); err != nil {
				return exit(exitUsage, err)
			}
			if !(o.Alpha > 0 && o.Alpha < 1) {
				return exit(exitUsage, fmt.Errorf("--alpha %v: allowed is between 0 and 1, such as 0.05", o.Alpha))
			}
			if err := out.check(); err != nil {
				return err
			}
			v, err := judgeGoBench(cmd.InOrStdin(), args, o)
			if err != nil {
				return exit(exitUsage, err)
			}
			again := "floodgate gate --go-bench " + strings.Join(args, " ")
			err = out.print(stdout, report.GoBenchJudgement(v, again),
				func(w io.Writer, o report.Options) error { return report.GoBenchVerdict(w, v, o) },
				func(w io.Writer) error { return report.GoBenchVerdictJSON(w, v) })
			if err != nil {
				return err
			}
			return exit(v.Exit, nil)
		},
	}
	cmd.Flags().BoolVar(&goBench, "go-bench", false, "judge two outputs of go test -bench")
	cmd.Flags().StringVar(&margin, "margin", "", "worsening that is allowed, in `percent`: of times, CPU time and memory (default 10%), of a benchmark's median (default 0%)")
	b.register(cmd.Flags())
	cmd.Flags().Float64Var(&o.Alpha, "alpha", 0.05, "allowed `probability` of calling anything different that is not")
	cmd.Flags().BoolVar(&o.AllowMissing, "allow-missing", false, "judge what both files have, and name the rest")
	cmd.Flags().BoolVar(&o.AllowMixed, "allow-mixed", false, "compare measurements of different machines, and say so")
	out.flags(cmd)
	return cmd
}

// parseMargin reads "5%" as 0.05.
func parseMargin(flag, s string) (float64, error) {
	number, ok := strings.CutSuffix(s, "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil || !(x >= 0 && x <= 1e6) {
		return 0, fmt.Errorf("%s %q: allowed is a percentage from 0%% to 1000000%%, such as 5%%", flag, s)
	}
	return x / 100, nil
}

func judgeGoBench(stdin io.Reader, paths []string, o gobench.Options) (*gobench.Verdict, error) {
	if paths[0] == "-" && paths[1] == "-" {
		return nil, errors.New(`both files are "-": allowed for one of the two`)
	}
	var in [2]gobench.Input
	for i, path := range paths {
		if path == "-" {
			in[i] = gobench.Input{Name: "stdin", Reader: stdin}
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in[i] = gobench.Input{Name: path, Reader: f}
	}
	return gobench.Judge(in[0], in[1], o)
}
