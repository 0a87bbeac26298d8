package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
)

// transport connects to pods through the API server.
type transport interface {
	// attach copies the standard streams of a container until it ends, which is not an error,
	// or until the connection breaks. A nil writer is not attached.
	attach(ctx context.Context, pod, container string, s remotecommand.StreamOptions) error
	// forward returns a connection on which streams to ports of a pod can be opened.
	forward(pod string) (httpstream.Connection, error)
	// version returns the version of the API server.
	version(ctx context.Context) (string, error)
}

// apiServer is the transport of a real cluster.
type apiServer struct {
	client    kubernetes.Interface
	config    *rest.Config
	namespace string
}

func (a apiServer) request(pod, resource string) *rest.Request {
	return a.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(a.namespace).Name(pod).SubResource(resource)
}

// cannotUpgrade reports whether only SPDY may work.
func cannotUpgrade(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}

func (a apiServer) attach(ctx context.Context, pod, container string, s remotecommand.StreamOptions) error {
	url := a.request(pod, "attach").VersionedParams(&corev1.PodAttachOptions{
		Container: container, Stdin: s.Stdin != nil, Stdout: s.Stdout != nil, Stderr: s.Stderr != nil,
	}, scheme.ParameterCodec).URL()
	modern, err := remotecommand.NewWebSocketExecutor(a.config, http.MethodGet, url.String())
	if err != nil {
		return err
	}
	old, err := remotecommand.NewSPDYExecutor(a.config, http.MethodPost, url)
	if err != nil {
		return err
	}
	executor, err := remotecommand.NewFallbackExecutor(modern, old, cannotUpgrade)
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, s)
}

func (a apiServer) version(ctx context.Context) (string, error) {
	var v version.Info
	text, err := a.client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	return v.GitVersion, err
}

func (a apiServer) forward(pod string) (httpstream.Connection, error) {
	url := a.request(pod, "portforward").URL()
	modern, err := portforward.NewSPDYOverWebsocketDialer(url, a.config)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(a.config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	connection, _, err := portforward.NewFallbackDialer(modern, old, cannotUpgrade).Dial(portforward.PortForwardProtocolV1Name)
	return connection, err
}

// attachment is a container to which the harness is attached.
type attachment struct {
	stdin  *io.PipeWriter
	stdout *io.PipeReader
	stderr *io.PipeReader
	ctx    context.Context // ends with the streams
	cancel context.CancelFunc
	done   chan struct{}
	err    error // why the connection broke, when done is closed; nil means that the container ended
}

// attach attaches to a container. The streams end with it, or when the connection breaks.
// Outputs that are not attached are empty.
func (c *Cluster) attach(pod, container string, output, errs bool) *attachment {
	ctx, cancel := context.WithCancel(c.ctx)
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	stderr, complaints := io.Pipe()
	streams := remotecommand.StreamOptions{Stdin: in}
	if output {
		streams.Stdout = out
	}
	if errs {
		streams.Stderr = complaints
	}
	a := &attachment{stdin: stdin, stdout: stdout, stderr: stderr, ctx: ctx, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		defer cancel()
		if err := c.transport.attach(ctx, pod, container, streams); err != nil {
			a.err = c.denied("create and get", "pods/attach", fmt.Errorf("the connection to container %s of pod %s broke: %w", container, pod, err))
		}
		in.Close()
		out.Close()
		complaints.Close()
	}()
	return a
}

func (a *attachment) Input() io.WriteCloser { return a.stdin }
func (a *attachment) Output() io.ReadCloser { return a.stdout }

// Kill ends the connection, and with it the standard input of a container to which one can
// attach once.
func (a *attachment) Kill() {
	a.stdin.Close()
	a.cancel()
	<-a.done
}

// Done is closed when the container has ended or the connection broke.
func (a *attachment) Done() <-chan struct{} { return a.done }

// State describes the end of a helper.
func (a *attachment) State() string {
	if a.err != nil {
		return a.err.Error()
	}
	return "exit status 0"
}
