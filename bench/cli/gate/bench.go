package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/abtest"
	"floodgate/bench/cli/command"
	"floodgate/bench/machine"
	"floodgate/results"
	"floodgate/results/atomicfile"
	"floodgate/results/gobench"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/report/content"
	"floodgate/results/text"
)

// benchOptions are the flags of "gate bench".
type benchOptions struct {
	command.Notes
	judge        gobench.Options
	margin, root string
	out          Output
	against      string
	packages     []string
	bench        string
	benchTime    string
	count        int
	budget       time.Duration
	seed         uint64
	stdout       io.Writer
}

func newGateBench(stdout, stderr io.Writer) *cobra.Command {
	o := benchOptions{stdout: stdout, Notes: command.Notes{Stderr: stderr}}
	cmd := &cobra.Command{
		Use:   "bench OLD NEW | --against REF",
		Short: "Judge Go benchmarks: two files, or two revisions in turn",
		Example: `  floodgate gate bench --against origin/main --package ./codec/...
  floodgate gate bench old.txt new.txt      # outputs of go test -bench`,
		Long: `Prints benchstat's table and a decision on every benchmark in every unit.
--against runs those of the commit and of the working tree in turn. Of two
files, "-" is standard input; what changed on the machine between them counts.

Worse: the Mann-Whitney test finds a difference (p of at most --alpha after
Holm's correction), and the median is worse by more than the margin. Without
--margin, that of times is what "gate selftest" found here, or 10 % in turn and
50 % for files; of B/op and allocs/op 2 %. Other units need a line such as
"Unit p99-ns better=lower".`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("against") {
				if len(args) > 0 {
					return fmt.Errorf("--against and files are mutually exclusive (got %s)", strings.Join(args, " "))
				}
				return nil
			}
			return cobra.ExactArgs(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, files []string) error { return o.run(cmd, files) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.against, "against", "", "`commit` to compare the working tree with")
	flags.StringSliceVar(&o.packages, "package", []string{"./..."}, "`patterns` of packages")
	flags.StringVar(&o.bench, "bench", ".", "`regexp` of benchmarks, as of go test")
	flags.IntVar(&o.count, "count", 10, "`number` of rounds")
	flags.StringVar(&o.benchTime, "benchtime", "100ms", "`time` of one result, or a count such as 50x")
	flags.DurationVar(&o.budget, "time", 0, "`duration` of all rounds, at most (default no limit)")
	flags.StringVar(&o.root, "out", defaultGates, "storage `folder`, also of self-tests")
	flags.Uint64Var(&o.seed, "seed", 0, "`seed` of the order (default random)")
	flags.StringVar(&o.margin, "margin", "", "`percent` by which medians may worsen (default by unit)")
	alphaFlag(flags, &o.judge.Alpha)
	flags.BoolVar(&o.judge.AllowMissing, "allow-missing", false, "judge only the common benchmarks")
	flags.BoolVar(&o.judge.AllowMixed, "allow-mixed", false, "allow results of different machines")
	o.Flag(flags)
	o.out.flags(cmd)
	return cmd
}

func (o *benchOptions) run(cmd *cobra.Command, files []string) error {
	if err := o.check(cmd); err != nil {
		return err
	}
	here := machine.Fingerprint(cmd.Context())
	if s := abtest.LatestSelfTest(o.root, here); s != nil {
		o.judge.Spread = &gobench.Spread{Interleaved: s.Benchmark.Interleaved, Apart: s.Benchmark.Apart, From: "self-test " + s.ID, CPU: here.CPU}
	}
	var notes []string
	if o.against != "" || cmd.Flags().Changed("against") {
		var err error
		if files, notes, err = o.measure(cmd.Context()); err != nil {
			return err
		}
	}
	v, err := judgeGoBench(cmd.InOrStdin(), files, o.judge)
	if err != nil {
		return command.Usage(err)
	}
	v.Notes = append(notes, v.Notes...)
	err = o.out.Write(o.stdout, command.GateResult{
		Judgment: ci.GoBenchJudgment(v, cmd.CommandPath()+" "+strings.Join(files, " ")),
		Text:     func(w io.Writer, o text.Options) error { return report.GoBenchVerdict(w, v, o) },
		JSON:     func(w io.Writer) error { return report.GoBenchVerdictJSON(w, v) },
	})
	if err != nil {
		return err
	}
	return command.Exit(v.Exit, nil)
}

// check checks the flags, before anything is measured.
func (o *benchOptions) check(cmd *cobra.Command) error {
	if err := o.out.Check(); err != nil {
		return err
	}
	if cmd.Flags().Changed("margin") {
		margin, err := parseMargin("--margin", o.margin)
		if err != nil {
			return command.Usage(err)
		}
		o.judge.Margin = &margin
	}
	if err := checkAlpha(o.judge.Alpha); err != nil {
		return command.Usage(err)
	}
	if !cmd.Flags().Changed("against") {
		for _, name := range []string{"package", "bench", "count", "benchtime", "time", "seed"} {
			if cmd.Flags().Changed(name) {
				return command.Usage(fmt.Errorf("--%s is for --against, which runs the benchmarks; results in files are judged as they are", name))
			}
		}
		return nil
	}
	switch {
	case o.against == "": // often an unset variable
		return command.Usage(errors.New("--against is empty: name a branch, a tag or a commit"))
	case o.count < 1:
		return command.Usage(fmt.Errorf("--count must be at least 1 (got %d)", o.count))
	case o.budget < 0:
		return command.Usage(fmt.Errorf("--time must not be negative (got %v)", o.budget))
	case !validBenchTime(o.benchTime):
		return command.Usage(fmt.Errorf("--benchtime must be a duration such as 100ms or a count such as 50x (got %q)", o.benchTime))
	}
	for _, p := range o.packages {
		if p == "" || strings.HasPrefix(p, "-") {
			return command.Usage(fmt.Errorf("--package must be a pattern of packages, such as ./... (got %q)", p))
		}
	}
	if err := command.CheckRoot(o.root); err != nil {
		return command.Usage(err)
	}
	return nil
}

// validBenchTime reports whether go test accepts the value of -benchtime.
func validBenchTime(s string) bool {
	if count, ok := strings.CutSuffix(s, "x"); ok {
		n, err := strconv.Atoi(count)
		return err == nil && n > 0
	}
	d, err := time.ParseDuration(s)
	return err == nil && d > 0
}

// measure runs the benchmarks of both revisions in turn and returns the files of their
// results.
func (o *benchOptions) measure(ctx context.Context) (files, notes []string, err error) {
	defer func() {
		if ctx.Err() != nil {
			err = command.NotMeasured(fmt.Errorf("interrupted: %w", context.Cause(ctx)))
		}
	}()
	dir, err := os.Getwd()
	if err != nil {
		return nil, nil, command.NotMeasured(err)
	}
	built, err := abtest.PrepareBenchmarks(ctx, abtest.BenchmarkSource{Dir: dir, Ref: o.against, Packages: o.packages, Bench: o.bench, Note: o.Note})
	if err != nil {
		return nil, nil, benchmarksFailed(err)
	}
	defer func() { err = errors.Join(err, built.Close()) }()
	now := time.Now()
	if o.seed == 0 {
		o.seed = uint64(now.UnixNano())
	}
	id := results.NewID(now)
	var texts [2]bytes.Buffer
	for i := range texts {
		fmt.Fprintf(&texts[i], "%s: %s\n", gobench.InterleavedKey, id)
	}
	rounds, err := abtest.RunBenchmarks(ctx, abtest.Benchmarks{
		Packages: built.Packages, Bench: o.bench, Time: o.benchTime, Rounds: o.count, Budget: o.budget, Now: time.Now, Seed: o.seed,
		A: &texts[0], B: &texts[1],
		Progress: func(rounds, most int) { o.Note(fmt.Sprintf("round %d of %d", rounds, most)) },
	})
	if err != nil {
		return nil, nil, benchmarksFailed(err)
	}
	folder := filepath.Join(o.root, id)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, nil, command.NotMeasured(err)
	}
	for i, name := range []string{"old.txt", "new.txt"} {
		files = append(files, filepath.Join(folder, name))
		if err := atomicfile.Write(files[i], texts[i].Bytes()); err != nil {
			return nil, nil, command.NotMeasured(err)
		}
	}
	notes = append(notes, fmt.Sprintf("old is %s, new is %s", content.PairsSide(built.A.Side), content.PairsSide(built.B.Side)))
	notes = append(notes, built.Notes...)
	if rounds < o.count {
		notes = append(notes, fmt.Sprintf("--time %v ended the measurement after %d of %d rounds", o.budget, rounds, o.count))
	}
	return files, notes, nil
}

// benchmarksFailed returns the error of a measurement with its exit code.
func benchmarksFailed(err error) error {
	var unknown *abtest.UnknownRefError
	var wrong *abtest.UsageError
	if errors.As(err, &unknown) || errors.As(err, &wrong) {
		return command.Usage(err)
	}
	return command.NotMeasured(err)
}

func judgeGoBench(stdin io.Reader, paths []string, o gobench.Options) (*gobench.Outcome, error) {
	if paths[0] == "-" && paths[1] == "-" {
		return nil, errors.New(`only one of the two files can be "-"`)
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
