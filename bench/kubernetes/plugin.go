package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"floodgate/bench/cli/command"
	"floodgate/bench/kubernetes/cluster"
	"floodgate/bench/kubernetes/image"
)

// plugin adds --env kubernetes to the command line.
type plugin struct {
	kubeContext, namespace, image string
	podTimeout                    time.Duration
}

// Register registers the flags that select the cluster, the namespace and the image.
func (p *plugin) Register(flags *pflag.FlagSet) {
	flags.StringVar(&p.kubeContext, "context", "", "`name` of the kubeconfig's context")
	flags.StringVar(&p.namespace, "namespace", "", "`namespace` of the pods")
	flags.StringVar(&p.image, "image", "", "our `image` in a registry")
	flags.DurationVar(&p.podTimeout, "pod-timeout", time.Minute, "`time` for a pod to start")
}

// Commands returns "image" and "kubernetes".
func (p *plugin) Commands(stdout, stderr io.Writer) []*cobra.Command {
	return []*cobra.Command{newImage(stdout), newKubernetes(stdout, stderr)}
}

// config returns the configuration of the cluster and the namespace: those of the
// kubeconfig or, without one, of the pod in which this program runs.
func (p *plugin) config() (*rest.Config, string, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{CurrentContext: p.kubeContext})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("%w; set KUBECONFIG, or name a context with --context", err)
	}
	namespace := p.namespace
	if namespace == "" {
		if namespace, _, err = loader.Namespace(); err != nil {
			return nil, "", err
		}
	}
	// The client's own limit of 5 requests a second would delay trials.
	config.QPS, config.Burst, config.UserAgent = 100, 200, "floodgate"
	return config, namespace, nil
}

// reference returns the image of the pods, and how to load it.
func (p *plugin) reference(executable string) (reference, load string, err error) {
	if p.image != "" {
		return p.image, "check the name of --image, and that the nodes may pull it", nil
	}
	i, err := image.New(executable)
	if err != nil {
		return "", "", fmt.Errorf("%w, or name an image with --image", err)
	}
	return i.Reference(), "write it with \"floodgate image --output floodgate.tar\" and load it (kind load image-archive floodgate.tar, k3d image import floodgate.tar, or on each node ctr -n k8s.io images import floodgate.tar), or push it with \"floodgate image --push REF\" and use --image REF", nil
}

// Connect connects to the cluster for one run.
func (p *plugin) Connect(ctx context.Context, run, executable string, note func(string)) (command.Cluster, error) {
	config, namespace, err := p.config()
	if err != nil {
		return nil, command.Usage(err)
	}
	reference, load, err := p.reference(executable)
	if err != nil {
		return nil, command.Usage(err)
	}
	c, err := cluster.Connect(ctx, cluster.Options{
		Config: config, Namespace: namespace, Run: run, Image: reference, Load: load, StartTimeout: p.podTimeout, Note: note,
	})
	if err != nil {
		return nil, err // a nil pointer in the interface would not be nil
	}
	return c, nil
}

// Clean removes the objects of dead runs from the namespace.
func (p *plugin) Clean(ctx context.Context) ([]string, error) {
	config, namespace, err := p.config()
	if err != nil {
		return nil, command.Usage(err)
	}
	return cluster.Clean(ctx, config, namespace)
}

// newImage returns the command "image".
func newImage(stdout io.Writer) *cobra.Command {
	var output, push, binary string
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Write or push the image of this program for a cluster",
		Example: `  floodgate image --output floodgate.tar
  kind load image-archive floodgate.tar
  floodgate image --push registry.example/floodgate:1`,
		Long: `Writes an archive with the image in which the parts of an experiment run as
pods: this program, FROM scratch. The archive is in the OCI format, and "docker
load" reads it as well. The same binary gives the same archive, bit by bit. It
prints the reference of the image. --env kubernetes uses it unless --image
names another one. --push needs the credentials of "docker login".`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if binary == "" {
				var err error
				if binary, err = os.Executable(); err != nil {
					return command.NotMeasured(err)
				}
			}
			i, err := image.New(binary)
			if err != nil {
				return command.Usage(err)
			}
			reference := i.Reference()
			if push != "" {
				if reference, err = i.Push(cmd.Context(), push); err != nil {
					return command.NotMeasured(err)
				}
			} else if err := command.WriteTo(output, nil, i.Write); err != nil {
				return command.NotMeasured(err)
			}
			fmt.Fprintln(stdout, reference)
			return nil
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "new `file` for the archive")
	cmd.Flags().StringVar(&push, "push", "", "`reference` in a registry to push the image to")
	cmd.Flags().StringVar(&binary, "binary", "", "static `file` for Linux (default: this program)")
	cmd.MarkFlagsMutuallyExclusive("output", "push")
	cmd.MarkFlagsOneRequired("output", "push")
	return cmd
}
