package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// tracker follows the pods of a run.
type tracker struct {
	mu      sync.Mutex
	pods    map[place]*state
	changed chan struct{} // closed at the next change
	refused error         // the watch is forbidden
	stop    func()        // waits for the end of the informer
}

// place is the place of a pod: the name of its Job, and its index there.
type place struct {
	job   string
	index int
}

// state is a pod as it was seen last.
type state struct {
	pod  *corev1.Pod
	gone bool // it was deleted
}

// track follows the pods of a run until ctx ends.
func track(ctx context.Context, client kubernetes.Interface, namespace, run string) (*tracker, error) {
	t := &tracker{pods: map[place]*state{}, changed: make(chan struct{})}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = labelRun + "=" + run }))
	informer := factory.Core().V1().Pods().Informer()
	err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			t.change(func() { t.refused = err })
		}
	})
	if err != nil {
		return nil, err
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { t.see(o, false) },
		UpdateFunc: func(_, o any) { t.see(o, false) },
		DeleteFunc: func(o any) { t.see(o, true) },
	})
	if err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	t.stop = factory.Shutdown
	return t, nil
}

func (t *tracker) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tracker) see(o any, gone bool) {
	if unknown, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = unknown.Obj
	}
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	index, _ := strconv.Atoi(pod.Labels[batchv1.JobCompletionIndexAnnotation]) // those of Jobs have one
	at := place{pod.Labels[batchv1.JobNameLabel], index}
	t.change(func() { t.pods[at] = &state{pod, gone} })
}

// await waits until the pod at a place satisfies done, which gets nil before it exists. It
// returns the pod and the error of done, or that of ctx with the last pod.
func (t *tracker) await(ctx context.Context, at place, done func(*state) (bool, error)) (*state, error) {
	for {
		t.mu.Lock()
		s, changed, refused := t.pods[at], t.changed, t.refused
		t.mu.Unlock()
		if refused != nil {
			return s, refused
		}
		if ok, err := done(s); ok || err != nil {
			return s, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
	}
}

// awaitEnd waits until the main container of a pod has ended.
func (t *tracker) awaitEnd(ctx context.Context, at place) (e ending, err error) {
	_, err = t.await(ctx, at, func(s *state) (ended bool, _ error) {
		if s != nil {
			e, ended = s.ending()
		}
		return ended, nil
	})
	return e, err
}

// forget drops the pods of a Job, which are no longer needed.
func (t *tracker) forget(job string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.pods, func(at place, _ *state) bool { return at.job == job })
}

// hopeless are the reasons why a container waits that time does not cure.
var hopeless = []string{"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"}

// running reports whether all containers of a pod have started, and ready whether they also
// accept connections. The error says why they never will.
func running(s *state, ready bool) (bool, error) {
	if s == nil {
		return false, nil
	}
	if e, ended := s.ending(); ended {
		return true, fmt.Errorf("pod %s ended before it was ready: %w", s.pod.Name, e.err())
	}
	for _, c := range slices.Concat(s.pod.Status.InitContainerStatuses, s.pod.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil && slices.Contains(hopeless, w.Reason) {
			return true, fmt.Errorf("pod %s cannot start: %s: %s", s.pod.Name, w.Reason, w.Message)
		}
	}
	started := 0
	for _, c := range s.pod.Status.ContainerStatuses {
		if c.State.Running != nil && (c.Ready || !ready) {
			started++
		}
	}
	return started > 0 && started == len(s.pod.Spec.Containers), nil
}

// pending describes why a pod has not started.
func pending(s *state) string {
	if s == nil {
		return "no pod was created"
	}
	for _, c := range s.pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("pod %s cannot be scheduled: %s: %s", s.pod.Name, c.Reason, c.Message)
		}
	}
	for _, c := range slices.Concat(s.pod.Status.InitContainerStatuses, s.pod.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil {
			return fmt.Sprintf("pod %s has not started: %s %s", s.pod.Name, w.Reason, w.Message)
		}
	}
	return fmt.Sprintf("pod %s is %s on node %q", s.pod.Name, s.pod.Status.Phase, s.pod.Spec.NodeName)
}

// ending is how a container of a pod ended.
type ending struct {
	code int
	text string
	// lost means that the cluster ended it, and not the program.
	lost bool
}

func (e ending) err() error { return errors.New(e.text) }

// ending returns how the main container ended; ended is false while it runs.
func (s *state) ending() (e ending, ended bool) {
	pod, name := s.pod, s.pod.Name
	if p := pod.Status; p.Reason != "" && p.Phase == corev1.PodFailed {
		text := strings.TrimSuffix(fmt.Sprintf("pod %s on node %s: %s: %s", name, pod.Spec.NodeName, p.Reason, p.Message), ": ")
		return ending{-1, text, p.Reason != "DeadlineExceeded"}, true
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return ending{-1, fmt.Sprintf("pod %s on node %s was disrupted: %s: %s", name, pod.Spec.NodeName, c.Reason, c.Message), true}, true
		}
	}
	if s.gone || pod.DeletionTimestamp != nil {
		return ending{-1, fmt.Sprintf("pod %s on node %s was deleted", name, pod.Spec.NodeName), true}, true
	}
	for _, c := range pod.Status.InitContainerStatuses {
		if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
			return ending{-1, fmt.Sprintf("container %s of pod %s ended with exit status %d", c.Name, name, t.ExitCode), false}, true
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil && c.Name == mainContainer {
			return terminated(pod, t), true
		}
	}
	return ending{}, false
}

// terminated returns how the main container ended by itself, or by its limit of memory.
func terminated(pod *corev1.Pod, t *corev1.ContainerStateTerminated) ending {
	e := ending{code: int(t.ExitCode), text: fmt.Sprintf("exit status %d", t.ExitCode)}
	switch {
	case t.Reason == "OOMKilled":
		limit := ""
		for _, c := range pod.Spec.Containers {
			if q, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == mainContainer {
				limit = " of " + q.String()
			}
		}
		e.code, e.text = -1, fmt.Sprintf("OOMKilled: it needed more memory than its limit%s", limit)
	case t.ExitCode == 137:
		e.code, e.text = -1, "signal: killed"
	case t.ExitCode == 143:
		e.code, e.text = -1, "signal: terminated"
	case t.Reason != "" && t.Reason != "Completed" && t.Reason != "Error":
		e.text += fmt.Sprintf(" (%s: %s)", t.Reason, t.Message)
	}
	return e
}
