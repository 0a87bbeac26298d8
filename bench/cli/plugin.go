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

// plugin is the program that has the same command line and --env kubernetes. It is a
// separate program so that this one compiles without the libraries of Kubernetes.
const plugin = "floodgate-kubernetes"

// pluginCommands are the commands that only the plugin has.
var pluginCommands = [...]string{"image", "kubernetes"}

// wantsPlugin reports whether a command line is meant for the plugin, whose flags this
// program does not know.
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

// findPlugin returns the path of the plugin, which is beside this program or on PATH.
func findPlugin() (string, error) {
	name := plugin
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	path, err := exec.LookPath(plugin)
	if err != nil {
		return "", fmt.Errorf("--env kubernetes, image and kubernetes need the program %s, which is neither beside this program nor on PATH; run CGO_ENABLED=0 go build -C bench/kubernetes -o ../../%s . to build it beside this one", plugin, name)
	}
	return path, nil
}

// runPlugin runs the plugin with the arguments in place of this program, and returns an
// exit code if that is impossible, or if the plugin has ended.
func runPlugin(args []string, stderr io.Writer) int {
	path, err := findPlugin()
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

// newPluginCommands returns the commands that only the plugin has, for the help text.
func newPluginCommands() []*cobra.Command {
	needsPlugin := func(*cobra.Command, []string) error { return command.ErrNeedsPlugin }
	const where = "\n\nThis command and --env kubernetes are part of " + plugin + ", a program\nbeside this one or on PATH. To build it:\n\n  CGO_ENABLED=0 go build -C bench/kubernetes -o ../../" + plugin + " ."
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
	for _, cmd := range []*cobra.Command{image, kubernetes} {
		cmd.FParseErrWhitelist.UnknownFlags = true
	}
	return []*cobra.Command{image, kubernetes}
}
