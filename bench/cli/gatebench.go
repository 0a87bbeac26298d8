package cli

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/results/gobench"
	"floodgate/results/report"
	"floodgate/results/report/text"
)

// benchFlags are those of "gate --go-bench".
type benchFlags struct {
	asked bool
	gobench.Options
}

func (b *benchFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&b.asked, "go-bench", false, "judge two outputs of go test -bench")
	flags.BoolVar(&b.AllowMissing, "allow-missing", false, "judge what both files have, and name the rest")
	flags.BoolVar(&b.AllowMixed, "allow-mixed", false, "compare measurements of different machines, and say so")
}

func (b *benchFlags) run(cmd *cobra.Command, stdout io.Writer, files []string, out *gateOutput) error {
	v, err := judgeGoBench(cmd.InOrStdin(), files, b.Options)
	if err != nil {
		return exit(exitUsage, err)
	}
	again := "floodgate gate --go-bench " + strings.Join(files, " ")
	err = out.write(stdout, report.GoBenchJudgement(v, again),
		func(w io.Writer, o text.Options) error { return report.GoBenchVerdict(w, v, o) },
		func(w io.Writer) error { return report.GoBenchVerdictJSON(w, v) })
	if err != nil {
		return err
	}
	return exit(v.Exit, nil)
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
