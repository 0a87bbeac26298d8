// Package cli implements the command line of Floodgate. For example,
//
//	code := cli.Main([]string{"run", "report", "--quick"}, os.Stdout, os.Stderr, nil)
//
// runs the built-in scenario report, prints its claims, and returns 0 if all were judged as
// expected. Each command has a file, and each group of commands a package. Package command
// contains the shared parts.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/cli/gate"
	"floodgate/bench/cli/plan"
	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/load/generator"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/mockupstream/strictyaml"
	"floodgate/results/gobench"
	"floodgate/results/verdict"
)

// Main runs the command line until it ends or a signal ends it, and returns the
// exit code. k adds --env kubernetes and its commands; nil means that another program,
// floodgate-kubernetes, runs them.
func Main(args []string, stdout, stderr io.Writer, k command.Kubernetes) int {
	isPush := len(args) > 0 && args[0] == pushCommand
	if isPush {
		if _, err := pushPlugin.find(); err == nil {
			return runPlugin(args, stderr)
		}
	}
	if k == nil && !isPush && wantsPlugin(args) {
		if _, err := kubernetesPlugin.find(); err == nil || !slices.Contains(pluginCommands[:], args[0]) {
			return runPlugin(args, stderr)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	later(ctx, stop) // then another signal ends the process at once
	return execute(ctx, NewRoot(stdout, stderr, k), args, stdout, stderr)
}

// doubled is the time within which a second signal is the same one: timeout(1) sends its
// signal to the process and then to its group.
const doubled = time.Second

// later calls a function some time after the end of ctx.
func later(ctx context.Context, call func()) {
	context.AfterFunc(ctx, func() { time.AfterFunc(doubled, call) })
}

// Child runs the hidden subcommands for the parts of an experiment that our own binary
// runs as processes of their own. ok is false if the arguments do not name one of them.
func Child(args []string, stdin io.Reader, stdout, stderr io.Writer) (code int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	if args[0] == sut.ChildArg {
		return sut.Main(args[1:], stdin, stdout, stderr), true
	}
	if args[0] == generator.ChildArg {
		return generator.Main(stdin, stdout, stderr, experiment.LoadOptions), true
	}
	if args[0] == generator.PodArg {
		return generator.PodMain(stdin, stdout, stderr, experiment.LoadOptions), true
	}
	if args[0] == probe.ChildArg {
		return probe.Main(stdin, stdout, stderr), true
	}
	if slices.Contains(environment.Children(), args[0]) {
		return environment.RunChild(args[0], args[1:], stdin, stdout, stderr), true
	}
	return 0, false
}

// execute runs the command line of root and returns the exit code.
func execute(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	began := false // whether the command line was valid
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		err := exclusive(cmd)
		began = err == nil
		return err
	}
	cmd, err := command.CheckNumbers(root, args)
	if err == nil {
		cmd, err = root.ExecuteContextC(ctx)
	}
	if err == nil {
		return verdict.ExitPassed
	}
	if errors.Is(err, command.ErrNeedsPlugin) {
		return runPlugin(args, stderr)
	}
	if !began {
		err = fmt.Errorf("%w\n%s", err, usageHint(cmd))
	}
	var bad strictyaml.Errors
	var lines gobench.Errors
	switch {
	case command.IsVerdict(err):
	case errors.As(err, &bad), errors.As(err, &lines): // each line names its file already
		fmt.Fprintln(stderr, err)
	default:
		fmt.Fprintln(stderr, "floodgate:", err)
	}
	return command.CodeOf(err)
}

// exclusive returns an error if mutually exclusive flags are set.
func exclusive(cmd *cobra.Command) error {
	err := cmd.ValidateFlagGroups()
	if err == nil {
		return nil
	}
	if m := setTogether.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("--%s are mutually exclusive", strings.Join(strings.Fields(m[1]), " and --"))
	}
	return err
}

// setTogether matches the list of set flags in cobra's error.
var setTogether = regexp.MustCompile(`\[([^\]]+)\] were all set`)

// A help text fits a screen of 80 columns and begins with examples.
const (
	helpTemplate = `{{with .Example}}{{.}}

{{end}}{{with or .Long .Short}}{{.}}

{{end}}{{.UsageString}}`

	usageTemplate = `Usage: {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}
{{if .HasAvailableSubCommands}}
Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasHelpSubCommands}}
Topics of {{.CommandPath}} help:{{range .Commands}}{{if .IsAdditionalHelpTopicCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}
{{end}}`
)

// usageHint returns the usage line of a command and where to find more.
func usageHint(cmd *cobra.Command) string {
	use := cmd.UseLine()
	if cmd.HasAvailableSubCommands() && !strings.Contains(cmd.Use, " ") {
		use = cmd.CommandPath() + " COMMAND"
	}
	return fmt.Sprintf("usage: %s; more: %s --help", use, cmd.CommandPath())
}

// NewRoot returns the command "floodgate", for documents about it; [Main] runs it. A nil k
// leaves --env kubernetes to another program.
func NewRoot(stdout, stderr io.Writer, k command.Kubernetes) *cobra.Command {
	root := &cobra.Command{
		Use:   "floodgate",
		Short: "Measures what a concurrency limit does to a fetch→write pipeline",
		Example: `  floodgate run                 # run the built-in scenario report
  floodgate gate diff HEAD~1    # is the working tree worse than a commit?`,
		Long: `Floodgate measures how much time concurrency saves a pipeline that fetches from
HTTP and writes to MongoDB, and its costs in latency, descriptors and errors.

Exit codes:
  0  passed
  1  a claim or a threshold failed, or a gate found something worse
  2  a mistake in flags, names or files
  3  inconclusive, or the compared runs have nothing in common
  4  not measured, nothing to compare, or interrupted`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          command.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(command.UnknownFlag)
	root.AddCommand(newRun(stdout, stderr, k), newScenario(stdout, stderr), newReport(stdout, stderr), newCompare(stdout), newMerge(stdout),
		newUpstream(stdout, stderr), newMongo(stderr), newDoctor(stdout, stderr, k), plan.New(stdout, stderr, k), gate.New(stdout, stderr), newHistory(stdout, stderr), newWatch(stdout, stderr), newInit(stdout), newAttack(stdout), newVersion(stdout), newProtocolTopic())
	if k != nil {
		root.AddCommand(k.Commands(stdout, stderr)...)
	} else {
		root.AddCommand(newPluginCommands()...)
	}
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args, help.Long, help.Example = command.HelpTopic, "", "  floodgate help gate diff"
	}
	return root
}
