package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"floodgate/bench/abtest"
	"floodgate/bench/cli/command"
	"floodgate/bench/container"
	"floodgate/bench/doctor"
	"floodgate/bench/environment"
	"floodgate/bench/load/generator"
	"floodgate/bench/sut"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// doctorOptions are the flags of "doctor".
type doctorOptions struct {
	clean               bool
	format, image, root string
	env                 string
	kubernetes          command.Kubernetes // nil means that clusters are not examined
}

func newDoctor(stdout, stderr io.Writer, k command.Kubernetes) *cobra.Command {
	o := doctorOptions{kubernetes: k}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine what this machine can run, with advice",
		Example: `  floodgate doctor
  floodgate doctor --clean  # also removes leftovers of killed runs`,
		Long: `Examines Docker, descriptors, cores, memory, disks, clock, ports, background
load, and the leftovers of killed runs, in about two seconds. Every problem
comes with advice. Without --clean it changes nothing.

  ok       in order
  warning  a run can start, with limitations
  failed   no run can start
  unknown  cannot be seen here

Exit codes: 0 a run can start, in the embedded environment at least; 4 none can.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.DoctorFormats.Check(o.format); err != nil {
				return err
			}
			if o.env != "" && (o.env != environment.Kubernetes || !o.clean) {
				return command.Usage(fmt.Errorf("--env %s: want kubernetes, together with --clean", o.env))
			}
			return o.examine(cmd.Context(), stdout, stderr)
		},
	}
	flags := cmd.Flags()
	if k != nil {
		flags.StringVar(&o.env, "env", "", "kubernetes, for --clean to remove dead runs from a cluster")
		k.Register(flags)
	}
	flags.BoolVar(&o.clean, "clean", false, "first remove our unused folders, containers and images")
	command.DoctorFormats.Flag(flags, &o.format)
	flags.StringVar(&o.image, "mongo-image", doctor.DefaultImage, "`image` of MongoDB in containers")
	flags.StringVar(&o.root, "out", command.DefaultRoot, "`folder` of stored runs")
	return cmd
}

func (o doctorOptions) examine(ctx context.Context, stdout, stderr io.Writer) error {
	executable, err := os.Executable()
	if err != nil {
		return command.NotMeasured(fmt.Errorf("find our own binary: %w", err))
	}
	all, err := scenarios.Builtins()
	if err != nil {
		return command.Usage(err)
	}
	options := doctor.Options{
		Connect: connectEngine, Executable: executable, MongoImage: o.image, Scenarios: all, Runs: o.root,
		Prefixes: append(environment.TemporaryPrefixes(), abtest.TempPrefix), Children: append(environment.Children(), sut.ChildArg, generator.ChildArg),
	}
	var uncleaned error
	if o.clean {
		to := stderr
		if o.format == command.FormatText {
			to = stdout
		}
		uncleaned = o.removeLeftovers(ctx, to, options)
	}
	report := doctor.Examine(ctx, options)
	switch err := errors.Join(command.DoctorFormats.Print(stdout, o.format, report), uncleaned); {
	case err != nil:
		return command.NotMeasured(err)
	case !report.CanRun():
		return command.Exit(verdict.ExitNotMeasured, nil)
	}
	return nil
}

// removeLeftovers removes the orphaned folders, containers and images of this program,
// with --env kubernetes also the objects of dead runs, and lists them.
func (o doctorOptions) removeLeftovers(ctx context.Context, w io.Writer, options doctor.Options) error {
	removed, err := doctor.Clean(ctx, options)
	if o.env == environment.Kubernetes {
		objects, cleanErr := o.kubernetes.Clean(ctx)
		removed, err = append(removed, objects...), errors.Join(err, cleanErr)
	}
	for _, what := range removed {
		fmt.Fprintln(w, "removed", what)
	}
	if len(removed) == 0 && err == nil {
		fmt.Fprintln(w, "nothing to remove")
	}
	if err != nil {
		return fmt.Errorf("clean: %w", err)
	}
	return nil
}

func connectEngine(ctx context.Context) (doctor.Engine, error) {
	e, err := container.Connect(ctx)
	if err != nil {
		return nil, err // a nil *Engine in the interface would not be nil
	}
	return e, nil
}
