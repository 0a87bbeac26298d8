package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/cli/gate"
	"floodgate/bench/cli/plan"
	"floodgate/bench/forge"
	"floodgate/results"
	"floodgate/results/claims"
	verdicts "floodgate/results/pairs"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/watched"
)

// reportOptions are the flags of "report".
type reportOptions struct {
	format, root, scenario, output, comment string
	github, open                            bool
	stderr                                  io.Writer
}

func newReport(stdout, stderr io.Writer) *cobra.Command {
	o := reportOptions{stderr: stderr}
	cmd := &cobra.Command{
		Use:   "report [RUN]",
		Short: "Print a stored run in any format, or list the stored runs",
		Example: `  floodgate report                              # the stored runs, newest first
  floodgate report latest                       # the newest run again
  floodgate report latest --format html --open  # as a page in a browser
  floodgate report results/gates/ID             # a result of gate diff or cmd`,
		Long: `RUN is an ID, any unambiguous prefix of one, latest, or a folder. The verdict
and the exit code follow from the stored run alone, and are those from when it
ran. An unfinished run is inconclusive, unless a claim failed already.

` + command.RunFormats.Help() + `
A plan has ` + command.OneOf(command.LimitFormats.Names()) + `,
a comparison of a gate ` + command.OneOf(command.GateFormats.Names()) + `,
a watch ` + command.OneOf(command.WatchFormats.Names()) + `.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if o.github || o.output != "" || o.open || o.comment != "" {
					return command.Usage(errors.New("--github, --output, --open and --comment need a RUN"))
				}
				return listRuns(stdout, o.root, o.format)
			}
			v, err := gate.Open(args[0])
			if err != nil {
				return command.Usage(err)
			}
			if v != nil {
				return o.gate(cmd, stdout, v)
			}
			if dir := command.FindWatch(o.root, args[0]); dir != "" {
				return o.watch(cmd, stdout, dir)
			}
			roots := []string{o.root}
			if !cmd.Flags().Changed("out") {
				roots = append(roots, plan.DefaultRoot)
			}
			stored, err := command.OpenEither(args[0], roots...)
			if err != nil {
				return command.Usage(err)
			}
			if o.open {
				if err := o.page(cmd, filepath.Dir(stored.Path)); err != nil {
					return command.Usage(err)
				}
			}
			if stored.Header.Search {
				return o.plan(stdout, stored)
			}
			return o.run(cmd.Context(), stdout, stored)
		},
	}
	flags := cmd.Flags()
	command.RunFormats.Flag(flags, &o.format)
	flags.BoolVar(&o.open, "open", false, "show the page in a browser (--format html)")
	flags.StringVar(&o.output, "output", "", "output `file`, replaced atomically")
	flags.BoolVar(&o.github, "github", false, "write a step summary and annotations")
	flags.StringVar(&o.comment, "comment", "", "`name` of a comment on the pull or merge request of this\njob of GitHub Actions or GitLab CI, written or replaced")
	flags.StringVar(&o.scenario, "scenario", "", "scenario `file` that annotations point at")
	flags.StringVar(&o.root, "out", command.DefaultRoot, "`folder` of stored runs")
	for _, other := range []string{"format", "output", "open"} {
		cmd.MarkFlagsMutuallyExclusive("github", other)
	}
	return cmd
}

// page sets the format and, by default, the file of the page for the browser.
func (o *reportOptions) page(cmd *cobra.Command, dir string) error {
	if cmd.Flags().Changed("format") && o.format != command.FormatHTML {
		return fmt.Errorf("--open shows a page: leave out --format %s", o.format)
	}
	o.format = command.FormatHTML
	if o.output == "" {
		o.output = filepath.Join(dir, command.PageFile)
	}
	return nil
}

// run prints a stored run.
func (o *reportOptions) run(ctx context.Context, stdout io.Writer, stored *results.Run) error {
	v, err := claims.Judge(stored)
	if err != nil {
		return command.Usage(err)
	}
	j, err := command.JudgedRun(stored, v, o.scenario)
	if err != nil {
		return err
	}
	if o.github {
		err = command.PrintGitHub(stdout, j.Judgment(), func(limit int) []byte { return ci.Markdown(j, limit) })
	} else {
		err = command.WriteTo(o.output, stdout, func(w io.Writer) error { return command.RunFormats.Print(w, o.format, j) })
	}
	if err != nil {
		return err
	}
	o.putComment(ctx, ci.Markdown(j, ci.MaxComment))
	return command.ShowPage(o.open, o.output, stdout, command.Exit(v.Exit, command.Unfinished(stored, v)))
}

// watch prints a stored watch.
func (o *reportOptions) watch(cmd *cobra.Command, stdout io.Writer, dir string) error {
	for _, flag := range []string{"github", "scenario", "comment"} {
		if cmd.Flags().Changed(flag) {
			return command.Usage(fmt.Errorf("--%s needs a run; this is a watch", flag))
		}
	}
	if o.open {
		if err := o.page(cmd, dir); err != nil {
			return command.Usage(err)
		}
	}
	if err := command.WatchFormats.Check(o.format); err != nil {
		return err
	}
	v, err := openWatch(dir)
	if err != nil {
		return command.Usage(err)
	}
	err = command.WriteTo(o.output, stdout, func(w io.Writer) error { return command.WatchFormats.Print(w, o.format, v) })
	if err != nil {
		return err
	}
	return command.ShowPage(o.open, o.output, stdout, command.Exit(v.Outcome.Exit, nil))
}

// plan prints a stored plan.
func (o *reportOptions) plan(stdout io.Writer, stored *results.Run) error {
	if o.github || o.comment != "" {
		return command.Usage(errors.New("--github and --comment need a run or a comparison; this is a plan"))
	}
	return command.ShowPage(o.open, o.output, stdout, command.WriteTo(o.output, stdout, func(w io.Writer) error { return plan.PrintStored(w, stored, o.format) }))
}

// gate prints a stored comparison of two programs.
func (o *reportOptions) gate(cmd *cobra.Command, stdout io.Writer, v *verdicts.Outcome) error {
	if o.open {
		return command.Usage(errors.New("--open needs a run; this is a comparison of a gate"))
	}
	compared := gate.Compared(v)
	if o.scenario != "" {
		var err error
		if compared.Judgment.File, _, err = command.AnnotatedFile(o.scenario, v.Scenario); err != nil {
			return err
		}
	}
	out := gate.Output{Format: o.format, GitHub: o.github}
	if err := out.Check(); err != nil {
		return err
	}
	if err := command.WriteTo(o.output, stdout, func(w io.Writer) error { return out.Write(w, compared) }); err != nil {
		return err
	}
	o.putComment(cmd.Context(), ci.Comment(compared.Judgment))
	return command.Exit(v.Exit, nil)
}

// putComment writes the comment of --comment, if it is set. The verdict is more important
// than the comment: what prevents it is printed, and the exit code is that of the verdict.
func (o *reportOptions) putComment(ctx context.Context, text []byte) {
	if o.comment == "" {
		return
	}
	comments, err := forge.OfJob(os.LookupEnv)
	address := ""
	if err == nil {
		address, err = comments.Put(ctx, o.comment, string(text))
	}
	if err != nil {
		fmt.Fprintf(o.stderr, "--comment: the comment was not written: %v\n", err)
		return
	}
	fmt.Fprintf(o.stderr, "comment: %s\n", cmp.Or(address, "written"))
}

// listRuns lists the runs below root and, in text, the watches.
func listRuns(stdout io.Writer, root, format string) error {
	runs, err := results.List(root)
	if err != nil {
		return command.Usage(err)
	}
	if format != command.FormatText {
		return command.ListFormats.Print(stdout, format, runs)
	}
	watches, err := watched.List(root)
	if err != nil {
		return command.Usage(err)
	}
	if len(runs)+len(watches) == 0 {
		fmt.Fprintf(stdout, "no runs in %s\n", root)
		return nil
	}
	if len(runs) > 0 {
		if err := command.ListFormats.Print(stdout, format, runs); err != nil {
			return err
		}
	}
	if len(watches) == 0 {
		return nil
	}
	if len(runs) > 0 {
		fmt.Fprintln(stdout)
	}
	return report.Watches(stdout, watches, command.Terminal(stdout))
}
