package gate

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/results/gobench"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/text"
)

func newGateBench(stdout io.Writer) *cobra.Command {
	var o gobench.Options
	var out Output
	var margin string
	cmd := &cobra.Command{
		Use:   "bench OLD NEW",
		Short: "Judge two outputs of go test -bench",
		Example: `  go test -bench . -count 10 ./... > new.txt
  floodgate gate bench old.txt new.txt
  floodgate gate bench old.txt - --margin 5% < new.txt`,
		Long: `Prints benchstat's table and a decision on every benchmark in every unit. "-"
in place of one file means standard input.

A benchmark is worse when the Mann-Whitney test says that it differs, with a p
of at most --alpha after Holm's correction over all comparisons, and its median
is worse by more than --margin. Lower is better for ns/op, B/op and allocs/op,
higher for MB/s; for other units, lines such as "Unit p99-ns better=lower" state
it. Log output between results is ignored; between a benchmark's name and its
result it is an error.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, files []string) error {
			if err := out.Check(); err != nil {
				return err
			}
			var err error
			if o.Margin, err = parseMargin("--margin", margin); err != nil {
				return command.Usage(err)
			}
			if err := checkAlpha(o.Alpha); err != nil {
				return command.Usage(err)
			}
			v, err := judgeGoBench(cmd.InOrStdin(), files, o)
			if err != nil {
				return command.Usage(err)
			}
			err = out.Write(stdout, command.GateResult{
				Judgment: ci.GoBenchJudgment(v, cmd.CommandPath()+" "+strings.Join(files, " ")),
				Text:     func(w io.Writer, o text.Options) error { return report.GoBenchVerdict(w, v, o) },
				JSON:     func(w io.Writer) error { return report.GoBenchVerdictJSON(w, v) },
			})
			if err != nil {
				return err
			}
			return command.Exit(v.Exit, nil)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&margin, "margin", "0%", "`percent` by which a median may worsen")
	alphaFlag(flags, &o.Alpha)
	flags.BoolVar(&o.AllowMissing, "allow-missing", false, "judge only the common benchmarks, and list the rest")
	flags.BoolVar(&o.AllowMixed, "allow-mixed", false, "allow results of different machines")
	out.flags(cmd)
	return cmd
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
