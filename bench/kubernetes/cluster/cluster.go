// Package cluster runs the parts of an experiment as pods of a Kubernetes cluster:
//
//	c, err := cluster.Connect(ctx, cluster.Options{Config: config, Namespace: "default", Run: id, Image: image})
//	…
//	defer c.Close()
//	p, err := c.StartPod(ctx, environment.PodSpec{Name: "upstream", Args: args, Port: 8080})
//	fmt.Println(p.Addr())   // 127.0.0.1:39125, which the API server forwards
//	fmt.Println(p.Inside()) // 10.244.0.7:8080, for other pods
//
// Nothing outlives the run. Every object is a Job that is owned by the anchor, a Job whose
// pod ends when it no longer receives the heartbeats of this process. The cluster removes it
// then, and the rest with it. Every Job has a deadline of its own as well.
package cluster

import (
	"context"
	_ "embed" // the role
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"floodgate/bench/environment"
)

// Role is the manifest of the Role that Floodgate needs.
//
//go:embed role.yaml
var Role string

// Options of a Cluster.
type Options struct {
	Config    *rest.Config
	Namespace string
	// Run is the ID of the run, which every object carries.
	Run string
	// Image is the image of this program. Load describes how it gets to the nodes.
	Image, Load string
	// StartTimeout bounds the time from the creation of a pod until it runs.
	StartTimeout time.Duration
	// Note receives one-line messages; nil means that nothing is called.
	Note func(string)
}

// Cluster runs the pods of one run.
type Cluster struct {
	options   Options
	client    kubernetes.Interface
	transport transport
	pods      *tracker
	version   string
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	wg        sync.WaitGroup // of attached servers

	mu     sync.Mutex // guards anchor, and is held while one starts
	anchor *anchor

	launching sync.Mutex // guards fleets
	fleets    map[fleetID]*fleet
}

// Connect connects to a cluster and starts the anchor of the run.
func Connect(ctx context.Context, o Options) (*Cluster, error) {
	client, err := kubernetes.NewForConfig(o.Config)
	if err != nil {
		return nil, err
	}
	return connect(ctx, o, client, apiServer{client, o.Config, o.Namespace})
}

func connect(ctx context.Context, o Options, client kubernetes.Interface, t transport) (_ *Cluster, err error) {
	if o.Note == nil {
		o.Note = func(string) {}
	}
	c := &Cluster{options: o, client: client, transport: t, fleets: map[fleetID]*fleet{}}
	answering, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	version, err := t.version(answering)
	if err != nil {
		return nil, fmt.Errorf("the API server does not answer: %w", err)
	}
	c.version = "Kubernetes " + version
	// An informer would try a forbidden list for ever.
	if _, err := client.CoreV1().Pods(o.Namespace).List(answering, metav1.ListOptions{LabelSelector: labelRun + "=" + o.Run, Limit: 1}); err != nil {
		return nil, c.denied("list", "pods", err)
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if c.pods, err = track(c.ctx, client, o.Namespace, o.Run); err != nil {
		c.cancel()
		return nil, err
	}
	if _, err := c.owner(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Version returns the product and version of the cluster.
func (c *Cluster) Version() string { return c.version }

// Close removes everything that the run created.
func (c *Cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.anchor != nil {
		err = c.anchor.close()
		c.anchor = nil
	}
	c.cancel()
	c.wg.Wait()
	c.pods.stop()
	return err
}

// owner makes the objects of the run, which the anchor owns. It starts one if there is
// none, or if it has ended: what that owned goes with it.
func (c *Cluster) owner(ctx context.Context) (Manifests, error) {
	m := Manifests{Run: c.options.Run, Namespace: c.options.Namespace, Image: c.options.Image}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.anchor != nil {
		select {
		case <-c.anchor.ended:
			c.options.Note("the anchor of the run ended, and the cluster removes its pods: " + c.anchor.how)
			_ = c.anchor.close()
			c.anchor = nil
		default:
		}
	}
	if c.anchor == nil {
		a, err := c.startAnchor(ctx, m)
		if err != nil {
			return m, fmt.Errorf("start the anchor: %w", err)
		}
		c.anchor = a
	}
	m.Owner = &metav1.OwnerReference{APIVersion: "batch/v1", Kind: "Job", Name: c.anchor.job.Name, UID: c.anchor.job.UID, BlockOwnerDeletion: new(false)}
	return m, nil
}

// create creates a Job.
func (c *Cluster) create(ctx context.Context, job *batchv1.Job) (*batchv1.Job, error) {
	var created *batchv1.Job
	err := persist(ctx, func(ctx context.Context) (err error) {
		created, err = c.client.BatchV1().Jobs(c.options.Namespace).Create(ctx, job, metav1.CreateOptions{})
		return err
	})
	return created, c.denied("create", "jobs", err)
}

// remove deletes a Job and its pod.
func (c *Cluster) remove(job string) error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	err := persist(ctx, func(ctx context.Context) error {
		background := metav1.DeletePropagationBackground
		return c.client.BatchV1().Jobs(c.options.Namespace).Delete(ctx, job, metav1.DeleteOptions{PropagationPolicy: &background})
	})
	c.pods.forget(job)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return c.denied("delete", "jobs", err)
}

// removeTimeout bounds the removal of an object.
const removeTimeout = 20 * time.Second

// start creates a Job with one pod and waits until that runs and, if ready is set, accepts
// connections.
func (c *Cluster) start(ctx context.Context, job *batchv1.Job, ready bool, timeout time.Duration) (*batchv1.Job, *state, error) {
	created, err := c.create(ctx, job)
	if err != nil {
		return nil, nil, err
	}
	s, err := c.started(ctx, created, 0, ready, timeout)
	if err != nil {
		return nil, s, errors.Join(err, c.remove(created.Name))
	}
	return created, s, nil
}

// started waits until a pod of a Job runs.
func (c *Cluster) started(ctx context.Context, job *batchv1.Job, index int, ready bool, timeout time.Duration) (*state, error) {
	slow := fmt.Errorf("not within %v", timeout)
	waiting, cancel := context.WithTimeoutCause(ctx, timeout, slow)
	defer cancel()
	s, err := c.pods.await(waiting, place{job.Name, index}, func(s *state) (bool, error) { return running(s, ready) })
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	if errors.Is(err, slow) {
		err = fmt.Errorf("%s; %w (--pod-timeout)", pending(s), err)
	}
	return s, c.explain(job, s, c.denied("watch", "pods", err))
}

// explain adds the warnings of the events of a Job and its pod, the log of the pod, and how
// to load our image.
func (c *Cluster) explain(job *batchv1.Job, s *state, err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	names := []string{job.Name}
	if s != nil {
		names = append(names, s.pod.Name)
	}
	events, listErr := c.client.CoreV1().Events(c.options.Namespace).List(ctx, metav1.ListOptions{})
	if listErr != nil {
		return errors.Join(err, c.denied("list", "events", listErr))
	}
	var seen []string
	for _, e := range events.Items {
		text := e.Reason + ": " + strings.TrimSpace(e.Message)
		if e.Type == "Warning" && slices.Contains(names, e.InvolvedObject.Name) && !slices.Contains(seen, text) {
			seen = append(seen, text)
		}
	}
	if len(seen) > 0 {
		err = fmt.Errorf("%w; events:\n  %s", err, strings.Join(seen[max(0, len(seen)-maxEvents):], "\n  "))
	}
	if s != nil {
		if _, ended := s.ending(); ended {
			if text := strings.TrimSpace(string(c.log(s.pod.Name, mainContainer))); text != "" {
				err = fmt.Errorf("%w; the end of its log:\n%s", err, text[max(0, len(text)-logTail):])
			}
		}
	}
	image, text := job.Spec.Template.Spec.Containers[0].Image, err.Error()
	switch {
	case !strings.Contains(text, "ImagePull") && !strings.Contains(text, "ErrImageNeverPull"):
	case image == c.options.Image || strings.Contains(text, strconv.Quote(c.options.Image)):
		err = fmt.Errorf("%w\nimage %s is not on the node: %s", err, c.options.Image, c.options.Load)
	case job.Labels[labelRole] == roleSUT:
		err = fmt.Errorf("%w\nimage %s (sut.container.image) is not on the node: load it there (kind load docker-image, k3d image import, or ctr -n k8s.io images import), or name one in a registry from which the nodes can pull it", err, image)
	}
	return err
}

// maxEvents is the number of events in an error, and logTail the bytes of a log.
const (
	maxEvents = 3
	logTail   = 1000
)

// denied adds the role to an error that a user may not do something.
func (c *Cluster) denied(verb, resource string, err error) error {
	if err == nil || !apierrors.IsForbidden(err) && !strings.Contains(strings.ToLower(err.Error()), "forbidden") {
		return err
	}
	return fmt.Errorf("%w\nthis needs the verbs %s of %s in namespace %s: bind the user to the role that \"floodgate kubernetes render --role\" prints", err, verb, resource, c.options.Namespace)
}

// persist calls f again while the API server is away or overloaded.
func persist(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, persistence)
	defer cancel()
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := f(attempt)
		silent := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
		cancel()
		if !silent && !transient(err) || !pause(ctx, dialPause) {
			return err
		}
	}
}

// attemptTimeout bounds a request, which a server that hangs does not answer.
const attemptTimeout = 10 * time.Second

// persistence bounds the wait for an API server that is away.
const persistence = 30 * time.Second

// transient reports whether a request may succeed later.
func transient(err error) bool {
	var reached net.Error
	var failed *url.Error
	switch {
	case err == nil:
		return false
	case errors.Is(err, context.Canceled):
		return false
	case utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err):
		return true
	case apierrors.IsServerTimeout(err), apierrors.IsTooManyRequests(err), apierrors.IsServiceUnavailable(err), apierrors.IsInternalError(err):
		return true
	case errors.As(err, &failed):
		return errors.As(err, &reached) && reached.Timeout()
	}
	return false
}

// anchor is the Job that owns the others.
type anchor struct {
	cluster *Cluster
	job     *batchv1.Job
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	ended   chan struct{} // closed when its pod has ended
	how     string        // it ended
}

func (c *Cluster) startAnchor(ctx context.Context, m Manifests) (*anchor, error) {
	job, s, err := c.start(ctx, m.Anchor(), false, c.options.StartTimeout)
	if err != nil {
		return nil, err
	}
	attached := c.attach(s.pod.Name, mainContainer, false, false)
	if err := attached.beat(ctx); err != nil {
		return nil, errors.Join(err, c.remove(job.Name))
	}
	a := &anchor{cluster: c, job: job, ended: make(chan struct{})}
	alive, cancel := context.WithCancel(c.ctx)
	a.cancel = cancel
	a.wg.Go(func() { a.beat(alive, attached, s.pod.Name) })
	a.wg.Go(func() {
		if e, err := c.pods.awaitEnd(alive, place{job.Name, 0}); err == nil {
			a.how = e.text
			close(a.ended)
		}
	})
	return a, nil
}

// beat sends heartbeats to the anchor until ctx ends. It attaches again when the connection
// breaks, as when the API server was away.
func (a *anchor) beat(ctx context.Context, attached *attachment, pod string) {
	ticker := time.NewTicker(environment.HeartbeatInterval)
	defer ticker.Stop()
	for {
		for open := true; open; {
			select {
			case <-ticker.C:
				open = attached.beat(ctx) == nil
			case <-attached.done:
				open = false
			case <-ctx.Done():
				open = false
			}
		}
		attached.Kill()
		if !pause(ctx, dialPause) {
			return
		}
		attached = a.cluster.attach(pod, mainContainer, false, false)
	}
}

// beat sends a heartbeat. After an error, the attachment has ended.
func (a *attachment) beat(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { a.stdin.Close() }) // a write blocks while the connection does
	defer stop()
	if _, err := a.stdin.Write([]byte("\n")); err != nil {
		a.Kill()
		return errors.Join(a.err, ctx.Err())
	}
	return nil
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// close removes the anchor, and with it all that it owns.
func (a *anchor) close() error {
	a.cancel()
	a.wg.Wait()
	return a.cluster.remove(a.job.Name)
}
