package gate

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"floodgate/bench/abtest"
	"floodgate/bench/cli/command"
	"floodgate/bench/machine"
	verdicts "floodgate/results/pairs"
)

// cmdOptions are the flags of "gate cmd".
type cmdOptions struct {
	pairOptions
	metric, output string
}

func newGateCmd(stdout, stderr io.Writer) *cobra.Command {
	o := cmdOptions{pairOptions: pairOptions{stdout: stdout, Notes: command.Notes{Stderr: stderr}}}
	cmd := &cobra.Command{
		Use:   "cmd COMMAND-A COMMAND-B",
		Short: "Judge whether command B is slower than command A",
		Example: `  floodgate gate cmd ./old ./new
  floodgate gate cmd "tar -c src" "tar -cz src" --metric cpu --margin 10%
  floodgate report results/gates/ID --format junit`,
		Long: `Runs two commands alternately in pairs, without a shell, timed from outside.
Interim analyses after fixed numbers of pairs end the test as soon as it is
clear whether B takes more than --margin longer than A.

Standard output goes to a pipe whose content is discarded. Some programs, such
as grep and tar, recognize the null device (--output null) and do less work.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, commands []string) error {
			if err := o.check(); err != nil {
				return command.Usage(err)
			}
			return o.compare(cmd.Context(), func(v *verdicts.Outcome) error { return o.measure(cmd.Context(), v, commands) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.metric, "metric", verdicts.Wall, "`metric` that decides: wall, cpu or rss")
	flags.StringVar(&o.output, "output", abtest.OutputPipe, "destination of standard output: `pipe` or null")
	o.flags(cmd)
	return cmd
}

func (o *cmdOptions) check() error {
	switch {
	case o.metric != verdicts.Wall && o.metric != verdicts.CPU && o.metric != verdicts.RSS:
		return fmt.Errorf("unknown --metric %q (want %s, %s or %s)", o.metric, verdicts.Wall, verdicts.CPU, verdicts.RSS)
	case o.output != abtest.OutputPipe && o.output != abtest.OutputNull:
		return fmt.Errorf("unknown --output %q (want pipe or null)", o.output)
	}
	return nil
}

// measure runs both commands in pairs.
func (o *cmdOptions) measure(ctx context.Context, v *verdicts.Outcome, commands []string) error {
	var words [2][]string
	for i, line := range commands {
		var err error
		if words[i], err = abtest.SplitCommand(line); err != nil {
			return command.Usage(fmt.Errorf("COMMAND-%c: %w", "AB"[i], err))
		}
	}
	v.Kind, v.A.Name, v.B.Name = verdicts.Commands, commands[0], commands[1]
	v.Machine, v.Output = machine.Fingerprint(ctx), o.output
	if o.output == abtest.OutputNull {
		v.Notes = append(v.Notes, nullNote)
	}
	if err := verdicts.JudgeCommands(v, verdicts.CommandPairs{Metric: o.metric}); err != nil {
		return err
	}
	if err := o.estimatePower(v); err != nil {
		return err
	}
	log, err := abtest.NewLog(filepath.Join(v.Records, abtest.PairsFile))
	if err != nil {
		return err
	}
	defer log.Close()
	return abtest.RunCommands(ctx, v, abtest.Commands{
		A: words[0], B: words[1], Metric: o.metric, Measure: abtest.NewMeasurer(o.output), Log: log, Progress: o.progress,
	})
}

// nullNote warns about commands that detect the null device.
const nullNote = "standard output was the null device: programs such as grep and tar recognize it and do less work, so the times may differ from those of real use (see --output pipe)"
