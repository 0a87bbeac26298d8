package cli

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/environment"
	"floodgate/results/verdict"
)

// companion is a program beside this one, which compiles without the companion's
// libraries.
type companion struct{ name, folder, need string }

var (
	// kubernetesPlugin has the same command line and --env kubernetes.
	kubernetesPlugin = companion{"floodgate-kubernetes", "bench/kubernetes", "--env kubernetes, image and kubernetes need"}
	// pushPlugin is the command "push".
	pushPlugin = companion{"floodgate-push", "bench/push", "push needs"}
)

// pushCommand is the command that the program of pushPlugin is.
const pushCommand = "push"

// pluginCommands are the commands that only the plugin for Kubernetes has.
var pluginCommands = [...]string{"image", "kubernetes"}

// wantsPlugin reports whether a command line is meant for the plugin for Kubernetes, whose
// flags this program does not know.
func wantsPlugin(args []string) bool {
	if len(args) > 0 && slices.Contains(pluginCommands[:], args[0]) {
		return true
	}
	for i, arg := range args {
		switch {
		case arg == "--":
			return false
		case arg == "--env="+environment.Kubernetes, i > 0 && args[i-1] == "--env" && arg == environment.Kubernetes:
			return true
		}
	}
	return false
}

// build returns the command that builds the program beside this one.
func (c companion) build(suffix string) string {
	return fmt.Sprintf("CGO_ENABLED=0 go build -C %s -o ../../%s%s .", c.folder, c.name, suffix)
}

// find returns the path of the program, which is beside this program or on PATH.
func (c companion) find() (string, error) {
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), c.name+suffix)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	path, err := exec.LookPath(c.name)
	if err != nil {
		return "", fmt.Errorf("%s the program %s, which is neither beside this program nor on PATH; run %s to build it beside this one", c.need, c.name, c.build(suffix))
	}
	return path, nil
}

// run runs the program with the arguments in place of this one, and returns an exit code
// if that is impossible, or if the program has ended.
func (c companion) run(args []string, stderr io.Writer) int {
	path, err := c.find()
	if err == nil {
		var code int
		if code, err = become(path, args); err == nil {
			return code
		}
		err = fmt.Errorf("run %s: %w", path, err)
	}
	fmt.Fprintln(stderr, "floodgate:", err)
	return verdict.ExitMisused
}

// runPlugin runs the companion for which a command line is meant.
func runPlugin(args []string, stderr io.Writer) int {
	if len(args) > 0 && args[0] == pushCommand {
		return pushPlugin.run(args[1:], stderr)
	}
	return kubernetesPlugin.run(args, stderr)
}

// newPluginCommands returns the commands that only companions have, for the help text.
func newPluginCommands() []*cobra.Command {
	needsPlugin := func(*cobra.Command, []string) error { return command.ErrNeedsPlugin }
	where := "\n\nThis command and --env kubernetes are part of " + kubernetesPlugin.name + ", a program\nbeside this one or on PATH. To build it:\n\n  " + kubernetesPlugin.build("")
	image := &cobra.Command{
		Use: "image", Short: "Write or push the image of this program for a cluster",
		Example: "  floodgate image --output floodgate.tar", Long: "Writes the image in which the parts of an experiment run as pods." + where,
		RunE: needsPlugin,
	}
	kubernetes := &cobra.Command{
		Use: "kubernetes", Short: "Print the manifests of a run in a cluster, and its role",
		Example: "  floodgate kubernetes render report", Long: "Prints the objects that --env kubernetes creates." + where,
		RunE: needsPlugin,
	}
	commands := []*cobra.Command{image, kubernetes, newPush()}
	for _, cmd := range commands {
		cmd.FParseErrWhitelist.UnknownFlags = true
	}
	return commands
}

// newPush returns the command "push", for the help text.
func newPush() *cobra.Command {
	return &cobra.Command{
		Use: pushCommand + " -- COMMAND…", Short: "Push the metrics of a run to OTLP or Prometheus receivers",
		Example: "  floodgate push --otlp http://127.0.0.1:4318 -- floodgate run report --quick",
		Long:    "Runs a command and pushes the metrics of each run in it, with the final\nvalues.\n\nThis command is " + pushPlugin.name + ", a program beside this one or on PATH. To\nbuild it:\n\n  " + pushPlugin.build(""),
		RunE:    func(*cobra.Command, []string) error { return command.ErrNeedsPlugin },
	}
}
