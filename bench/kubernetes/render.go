package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"

	"floodgate/bench/cli/command"
	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/kubernetes/cluster"
	"floodgate/bench/kubernetes/image"
	"floodgate/bench/load/generator"
	"floodgate/bench/sut"
	"floodgate/scenarios"
)

// newKubernetes returns the group of commands "kubernetes".
func newKubernetes(stdout, _ io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubernetes",
		Short: "Print the manifests of a run in a cluster, and its role",
		Example: `  floodgate kubernetes render report
  floodgate kubernetes render --role | kubectl apply -f -`,
		Long: "Prints the objects that --env kubernetes creates.",
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRender(stdout))
	return cmd
}

// renderOptions are the flags of "kubernetes render".
type renderOptions struct {
	role                         bool
	namespace, image, mongoImage string
}

func newRender(stdout io.Writer) *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render [SCENARIO]",
		Short: "Print the manifests of a scenario's servers and of its first trial",
		Example: `  floodgate kubernetes render report
  floodgate kubernetes render --role | kubectl apply -f -`,
		Long: `Prints the Jobs of a run as YAML: its anchor, upstream and database, the
database proxy if the scenario delays the database, and the first trial with
the load generators of a service. A run creates them with owner references to
the anchor, which removes them. --role prints the Role that --env kubernetes
needs in its namespace instead.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if o.role {
				if len(args) > 0 {
					return command.Usage(errors.New("--role does not depend on a scenario: leave out SCENARIO"))
				}
				_, err := io.WriteString(stdout, cluster.Role)
				return err
			}
			names := args
			if len(names) == 0 {
				names = []string{command.DefaultScenario}
			}
			all, err := command.LoadScenarios(names, os.LookupEnv)
			if err != nil {
				return err
			}
			if err := command.CheckPods(all, names); err != nil {
				return err
			}
			return o.render(stdout, all[0])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.role, "role", false, "print the Role instead")
	flags.StringVar(&o.namespace, "namespace", "default", "`namespace` of the pods")
	flags.StringVar(&o.image, "image", "", "our `image` in a registry")
	flags.StringVar(&o.mongoImage, "mongo-image", environment.DefaultMongoImage, "MongoDB `image`, or embedded")
	return cmd
}

// render prints the Jobs of a scenario.
func (o renderOptions) render(w io.Writer, s *scenarios.Scenario) error {
	if o.image == "" {
		o.image = image.Repository + ":TAG"
	}
	link, err := experiment.UsesLink(s)
	if err != nil {
		return command.Usage(err)
	}
	m := cluster.Manifests{Run: "RUN", Namespace: o.namespace, Image: o.image}
	jobs := []*batchv1.Job{m.Anchor()}
	for _, server := range environment.PodSpecs(environment.Options{MongoImage: o.mongoImage, Limits: s.Containers, Link: link}) {
		jobs = append(jobs, m.Server(server))
	}
	jobs = append(jobs, m.SUT(experiment.HostOf("RUN", 0, s, 0, s.SUT.HostCount()), sut.LaunchArgs(s.SUT.NoFile, s.SUT.OwnProgram())))
	if s.Service != nil {
		jobs = append(jobs, m.Generator(experiment.HostOf("RUN", 0, s, 0, s.Service.GeneratorCount()), []string{generator.PodArg}))
	}
	for _, job := range jobs {
		text, err := yaml.Marshal(manifest(job))
		if err != nil {
			return command.NotMeasured(err)
		}
		fmt.Fprintf(w, "---\n%s", text)
	}
	return nil
}

// manifest returns a Job without the fields that only the cluster sets.
func manifest(job *batchv1.Job) any {
	metadata := map[string]any{"generateName": job.GenerateName, "namespace": job.Namespace, "labels": job.Labels}
	if job.Annotations != nil {
		metadata["annotations"] = job.Annotations
	}
	return map[string]any{"apiVersion": job.APIVersion, "kind": job.Kind, "metadata": metadata, "spec": job.Spec}
}
