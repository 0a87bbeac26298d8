package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/results"
)

// Kubernetes adds the environment of kind kubernetes to a command line. Program
// floodgate-kubernetes (bench/kubernetes) implements it.
type Kubernetes interface {
	// Register registers the flags that select the cluster and its namespace.
	Register(flags *pflag.FlagSet)
	// Commands returns further commands.
	Commands(stdout, stderr io.Writer) []*cobra.Command
	// Connect connects to the cluster for one run, whose objects carry its ID. note
	// receives one-line messages about slow steps.
	Connect(ctx context.Context, run, executable string, note func(string)) (Cluster, error)
	// Clean removes the objects of dead runs from the namespace and describes them.
	Clean(ctx context.Context) (removed []string, err error)
}

// Cluster runs the pods of one run. Close removes all of them.
type Cluster interface {
	environment.Pods
	experiment.Launcher
	Close() error
}

// ErrNeedsPlugin reports that only the program floodgate-kubernetes can run a command line.
var ErrNeedsPlugin = errors.New("this needs the program floodgate-kubernetes")

// CheckPlugin returns ErrNeedsPlugin if the run in a folder began in a cluster and this
// program cannot continue it there.
func (f EnvironmentFlags) CheckPlugin(dir string) error {
	if f.Kubernetes != nil {
		return nil
	}
	stored, err := results.Open(dir)
	if err != nil {
		return Usage(err)
	}
	if stored.Header.Environment.Kind == environment.Kubernetes {
		return ErrNeedsPlugin
	}
	return nil
}

// fitsPods returns an error if a scenario's SUT cannot run in a pod, or if servers cannot be
// reached from one.
func (u *Setup) fitsPods() error {
	s := u.scenario
	switch {
	case s.SUT.OwnProgram() || s.SUT.Runs():
		return fmt.Errorf("scenario %s: --env kubernetes runs the built-in system under test, and no program of your own; use --env containers or external", s.Name)
	}
	return nil
}

// connectCluster connects to the cluster of the run.
func (u *Setup) connectCluster(ctx context.Context, id string) error {
	cluster, err := u.kubernetes.Connect(ctx, id, u.Options.Executable, u.note)
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	u.cluster, u.Options.Pods, u.Launcher = cluster, cluster, cluster
	return nil
}
