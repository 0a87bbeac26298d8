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
	"floodgate/scenarios"
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

// ErrNeedsPlugin reports that only a companion, such as floodgate-kubernetes, can run a
// command line.
var ErrNeedsPlugin = errors.New("this needs another program")

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
	if found := s.InPods(); found != nil {
		return fmt.Errorf("scenario %s: %w", s.Name, found)
	}
	if s.SUT.OwnProgram() && u.Options.Upstream != nil {
		return fmt.Errorf("scenario %s: --upstream-url needs a proxy that counts the requests of sut.command, and it runs on this machine, where pods cannot reach it; use the mock upstream in the cluster, or --env external", s.Name)
	}
	return nil
}

// CheckPods returns the fields of the named scenarios that cannot run in the pods of a
// cluster, with their positions in a file.
func CheckPods(all []*scenarios.Scenario, names []string) error {
	for i, name := range names {
		if IsPath(name) {
			if err := scenarios.CheckFile(name, (*scenarios.Scenario).InPods); err != nil {
				return Usage(err)
			}
			continue
		}
		if found := all[i].InPods(); found != nil {
			return Usage(fmt.Errorf("scenario %s: %w", name, found))
		}
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
