package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/remotecommand"

	"floodgate/bench/environment"
	"floodgate/bench/load/generator"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/scenarios"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeCluster runs a pod for each Job at once.
type fakeCluster struct {
	*fake.Clientset
	t *testing.T
	// shape changes each pod before it is created.
	shape func(role string, p *corev1.Pod)
	// streams serves the container to which the harness attaches.
	streams func(ctx context.Context, pod, container string, s remotecommand.StreamOptions) error

	// watched is closed when pods are watched: unlike a real one, this cluster loses changes
	// between a list and a watch.
	watched chan struct{}
	pods    sync.WaitGroup

	mu    sync.Mutex
	count int
	jobs  []*batchv1.Job
}

func newFake(t *testing.T) *fakeCluster {
	f := &fakeCluster{Clientset: fake.NewClientset(), t: t, shape: func(string, *corev1.Pod) {}, watched: make(chan struct{})}
	f.PrependReactor("create", "jobs", f.createJob)
	var once sync.Once
	f.PrependWatchReactor("pods", func(a clienttesting.Action) (bool, watch.Interface, error) {
		w, err := f.Tracker().Watch(a.GetResource(), a.GetNamespace())
		once.Do(func() { close(f.watched) })
		return true, w, err
	})
	return f
}

func (f *fakeCluster) createJob(a clienttesting.Action) (bool, runtime.Object, error) {
	job := a.(clienttesting.CreateAction).GetObject().(*batchv1.Job)
	f.mu.Lock()
	f.count++
	job.Name, job.UID = fmt.Sprintf("%s%d", job.GenerateName, f.count), types.UID(fmt.Sprint("uid-", f.count))
	f.jobs = append(f.jobs, job.DeepCopy())
	f.mu.Unlock()
	for index := range int(*job.Spec.Completions) {
		p := pod(func(p *corev1.Pod) {
			p.ObjectMeta = metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", job.Name, index), Namespace: job.Namespace, Labels: map[string]string{
				batchv1.JobNameLabel: job.Name, batchv1.JobCompletionIndexAnnotation: fmt.Sprint(index), labelRun: job.Labels[labelRun], labelRole: job.Labels[labelRole],
			}}
			p.Spec = job.Spec.Template.Spec
			p.Spec.NodeName, p.Status.PodIP = "node1", "10.244.0.9"
			p.Status.ContainerStatuses = nil
			for _, c := range p.Spec.Containers {
				p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
					Name: c.Name, Ready: true, ImageID: "sha256:" + c.Image, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
				})
			}
		})
		f.shape(job.Labels[labelRole], p)
		f.pods.Go(func() {
			<-f.watched
			if err := f.Tracker().Add(p); err != nil {
				f.t.Error(err)
			}
		})
	}
	return false, nil, nil
}

// end changes the pod of a Job.
func (f *fakeCluster) end(job string, change func(*corev1.Pod)) {
	p, err := f.CoreV1().Pods("ns").Get(context.Background(), job+"-0", metav1.GetOptions{})
	if err != nil {
		f.t.Error(err)
		return
	}
	change(p)
	if _, err := f.CoreV1().Pods("ns").UpdateStatus(context.Background(), p, metav1.UpdateOptions{}); err != nil {
		f.t.Error(err)
	}
}

func (f *fakeCluster) attach(ctx context.Context, pod, container string, s remotecommand.StreamOptions) error {
	if strings.Contains(pod, "-anchor-") {
		_, err := io.Copy(io.Discard, s.Stdin) // heartbeats
		return err
	}
	return f.streams(ctx, pod, container, s)
}

func (f *fakeCluster) forward(string) (httpstream.Connection, error) {
	return nil, errors.New("not in this test")
}

func (f *fakeCluster) version(context.Context) (string, error) { return "v1.2.3", nil }

func (f *fakeCluster) connect(t *testing.T) *Cluster {
	t.Helper()
	c, err := connect(t.Context(), Options{Namespace: "ns", Run: "run1", Image: "own:1", Load: "load it", StartTimeout: time.Minute}, f, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		f.pods.Wait()
		f.nothingLeft(t)
	})
	return c
}

// nothingLeft checks that all Jobs were deleted.
func (f *fakeCluster) nothingLeft(t *testing.T) {
	t.Helper()
	jobs, err := f.BatchV1().Jobs("ns").List(context.Background(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) > 0 {
		t.Errorf("%d Jobs are left, %v", len(jobs.Items), err)
	}
}

var host1 = sut.Host{Trial: "run1/0", Limits: scenarios.Limits{CPUs: 0.5, Memory: 64 << 20}, Deadline: time.Minute}

// A SUT runs in a pod that the anchor owns, and speaks over its streams.
func TestLaunch(t *testing.T) {
	f := newFake(t)
	f.streams = func(_ context.Context, pod, container string, s remotecommand.StreamOptions) error {
		line, _ := bufio.NewReader(s.Stdin).ReadString('\n')
		fmt.Fprintf(s.Stdout, "%s heard %s", container, line)
		fmt.Fprint(s.Stderr, "done")
		f.end(strings.TrimSuffix(pod, "-0"), exited(3, "Error"))
		return nil
	}
	c := f.connect(t)
	l, err := c.Launch(t.Context(), host1, []string{"sut-child", "1024", "0"})
	if err != nil {
		t.Fatal(err)
	}
	go func() { fmt.Fprintln(l.Input(), "go") }()
	out, _ := bufio.NewReader(l.Output()).ReadString('\n')
	text, _ := io.ReadAll(l.Errors())
	exit := l.Wait()
	if out != "main heard go\n" || string(text) != "done" || exit.Code != 3 || exit.Lost != nil {
		t.Errorf("%q, %q, %+v", out, text, exit)
	}
	if d := l.Describe(); d.Node != "node1" || d.Image != "own:1" || d.ImageID != "sha256:own:1" || d.CPUs != 0.5 || d.Memory != 64<<20 {
		t.Errorf("described as %+v", d)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	anchor, job := f.jobs[0], f.jobs[1]
	if o := job.OwnerReferences; len(o) != 1 || o[0].UID != anchor.UID || len(anchor.OwnerReferences) != 0 {
		t.Errorf("owned by %+v", o)
	}
}

// The hosts of a trial share a Job, which stays until the last has ended. The next attempt at
// the trial has another one.
func TestLaunchFleet(t *testing.T) {
	f := newFake(t)
	f.streams = func(ctx context.Context, pod, _ string, s remotecommand.StreamOptions) error {
		fmt.Fprintln(s.Stdout, pod)
		<-ctx.Done()
		return ctx.Err()
	}
	c := f.connect(t)
	for attempt := range 2 {
		var names [3]string
		var hosts [3]sut.Launched
		var wg sync.WaitGroup
		for i := range hosts {
			wg.Go(func() {
				h := host1
				h.Index, h.Hosts = i, len(hosts)
				l, err := c.Launch(t.Context(), h, nil)
				if err != nil {
					t.Error(err)
					return
				}
				hosts[i] = l
				names[i], _ = bufio.NewReader(l.Output()).ReadString('\n')
			})
		}
		wg.Wait()
		for i, l := range hosts {
			if want := fmt.Sprintf("floodgate-sut-%d-%d\n", attempt+2, i); names[i] != want {
				t.Errorf("host %d is %q, want %q", i, names[i], want)
			}
			l.Kill()
			l.Wait()
			jobs, err := f.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{LabelSelector: labelRole + "=" + roleSUT})
			if left := i < len(hosts)-1; err != nil || (len(jobs.Items) > 0) != left {
				t.Errorf("after host %d, %d Jobs are left, %v", i, len(jobs.Items), err)
			}
		}
	}
}

// The load generators of a trial share a Job beside that of the SUT, which stays until the
// last has ended.
func TestLaunchGenerators(t *testing.T) {
	f := newFake(t)
	f.streams = func(_ context.Context, pod, _ string, s remotecommand.StreamOptions) error {
		fmt.Fprintln(s.Stdout, pod)
		_, err := io.Copy(io.Discard, s.Stdin) // its end is that of the generator
		return err
	}
	c := f.connect(t)
	var generators [2]generator.Launched
	var wg sync.WaitGroup
	for i := range generators {
		wg.Go(func() {
			h := host1
			h.Index, h.Hosts = i, len(generators)
			g, err := c.LaunchGenerator(t.Context(), h, []string{generator.PodArg})
			if err != nil {
				t.Error(err)
				return
			}
			generators[i] = g
			name, _ := bufio.NewReader(g.Output()).ReadString('\n')
			if want := fmt.Sprintf("floodgate-generator-2-%d\n", i); name != want {
				t.Errorf("generator %d is %q, want %q", i, name, want)
			}
		})
	}
	wg.Wait()
	for _, g := range generators {
		if d := g.Describe(); d.Name != roleGenerator || d.Node != "node1" {
			t.Errorf("described as %+v", d)
		}
		if err := g.Input().Close(); err != nil {
			t.Error(err)
		}
		<-g.Done()
		if state := g.State(); state != "exit status 0" {
			t.Errorf("ended with %s", state)
		}
		g.Kill()
	}
}

// The reason of the end of a generator is that of its pod.
func TestLostGenerator(t *testing.T) {
	f := newFake(t)
	f.streams = func(_ context.Context, pod, _ string, _ remotecommand.StreamOptions) error {
		f.end(strings.TrimSuffix(pod, "-0"), failed("Evicted", "low on memory"))
		return errors.New("websocket: close 1006")
	}
	g, err := f.connect(t).LaunchGenerator(t.Context(), host1, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-g.Done()
	if state := g.State(); !strings.Contains(state, "Evicted: low on memory") {
		t.Errorf("ended with %s", state)
	}
}

// The end of the pod decides whether a trial counts.
func TestLostHosts(t *testing.T) {
	broke := errors.New("websocket: close 1006")
	for _, test := range []struct {
		name   string
		change func(*corev1.Pod)
		broken error
		lost   bool
		text   string
	}{
		{"memory", exited(137, "OOMKilled"), nil, false, "OOMKilled: it needed more memory than its limit of 64Mi"},
		{"evicted", failed("Evicted", "low on memory"), nil, true, "Evicted: low on memory"},
		{"preempted", condition(corev1.DisruptionTarget, corev1.ConditionTrue, "PreemptionByScheduler", "p"), broke, true, "PreemptionByScheduler"},
		{"the connection broke, so that the SUT ended", exited(5, "Error"), broke, true, "the connection to container main of pod floodgate-sut-2-0 broke: websocket: close 1006"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t)
			f.streams = func(_ context.Context, pod, _ string, _ remotecommand.StreamOptions) error {
				f.end(strings.TrimSuffix(pod, "-0"), test.change)
				return test.broken
			}
			c := f.connect(t)
			l, err := c.Launch(t.Context(), host1, nil)
			if err != nil {
				t.Fatal(err)
			}
			exit := l.Wait()
			if (exit.Lost != nil) != test.lost || !strings.Contains(exit.Text, test.text) || exit.Code != -1 {
				t.Errorf("%+v", exit)
			}
		})
	}
}

// A SUT that is killed is not lost.
func TestKill(t *testing.T) {
	f := newFake(t)
	f.streams = func(ctx context.Context, _, _ string, _ remotecommand.StreamOptions) error {
		<-ctx.Done()
		return ctx.Err()
	}
	c := f.connect(t)
	l, err := c.Launch(t.Context(), host1, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Kill()
	if exit := l.Wait(); exit.Lost != nil || exit.Code != -1 || exit.Text != "signal: killed" {
		t.Errorf("%+v", exit)
	}
}

// The probe runs in the container beside the SUT.
func TestProbe(t *testing.T) {
	f := newFake(t)
	ended := make(chan struct{})
	f.streams = func(ctx context.Context, _, container string, s remotecommand.StreamOptions) error {
		if container == probeContainer {
			defer close(ended)
			probe.Main(s.Stdin, s.Stdout, s.Stderr)
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	c := f.connect(t)
	l, err := c.Launch(t.Context(), host1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = l.Probe(t.Context(), probe.Target{}, probe.Options{}); !errors.Is(err, probe.ErrExited) {
		t.Errorf("the probe found a process: %v", err) // no process of this test has the mark
	}
	b, err := l.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if members, err := b.Members(t.Context()); err != nil || len(members) > 0 {
		t.Errorf("members %+v, %v", members, err)
	}
	l.Kill()
	l.Wait()
	<-ended // with the SUT
	if _, err := l.Processes(t.Context()); !errors.Is(err, probe.ErrExited) {
		t.Errorf("the probe answers after the end: %v", err)
	}
}

// A pod that cannot start is an error with its events, and is removed.
func TestCannotStart(t *testing.T) {
	f := newFake(t)
	f.shape = func(role string, p *corev1.Pod) {
		if role != roleSUT {
			return
		}
		waiting("ImagePullBackOff", "not found")(p)
		event := &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: "ns"}, InvolvedObject: corev1.ObjectReference{Name: p.Name},
			Type: "Warning", Reason: "Failed", Message: "Failed to pull image \"own:1\"",
		}
		if err := f.Tracker().Add(event); err != nil {
			t.Error(err)
		}
	}
	c := f.connect(t)
	_, err := c.Launch(t.Context(), host1, nil)
	for _, want := range []string{"pod floodgate-sut-2-0 cannot start: ImagePullBackOff: not found", "Failed: Failed to pull image \"own:1\"", "image own:1 is not on the node: load it"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if lost := new(sut.LostError); errors.As(err, &lost) {
		t.Error("the trial would be run again")
	}
}

// A pod that was evicted before it was ready is lost.
func TestEvictedAtStart(t *testing.T) {
	f := newFake(t)
	f.shape = func(role string, p *corev1.Pod) {
		if role == roleSUT {
			failed("Evicted", "low on memory")(p)
		}
	}
	_, err := f.connect(t).Launch(t.Context(), host1, nil)
	if lost := new(sut.LostError); !errors.As(err, &lost) || !strings.Contains(lost.Reason, "Evicted") {
		t.Errorf("error %v", err)
	}
}

// A refused verb is named together with the role.
func TestForbidden(t *testing.T) {
	for verb, resource := range map[string]string{"create": "jobs", "list": "pods"} {
		f := newFake(t)
		f.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
		})
		_, err := connect(t.Context(), Options{Namespace: "ns", Run: "r", StartTimeout: time.Minute}, f, f)
		want := fmt.Sprintf("this needs the verbs %s of %s in namespace ns: bind the user to the role that \"floodgate kubernetes render --role\" prints", verb, resource)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// Requests are repeated while the API server is away.
func TestAPIServerAway(t *testing.T) {
	f := newFake(t)
	away := 2
	f.PrependReactor("create", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) {
		if away--; away >= 0 {
			return true, nil, apierrors.NewServiceUnavailable("restarting")
		}
		return false, nil, nil
	})
	f.connect(t)
	if away >= 0 {
		t.Errorf("%d requests are missing", away+1)
	}
}

// A server that has ended is described, and what an anchor that ended owned gets a new one.
func TestServerEnds(t *testing.T) {
	f := newFake(t)
	c := f.connect(t)
	p, err := c.StartPod(t.Context(), environment.PodSpec{Name: "upstream", Args: []string{"upstream-container"}, Port: 8080, Log: t.TempDir() + "/log"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Inside().String() != "10.244.0.9:8080" || !p.Addr().Addr().IsLoopback() {
		t.Errorf("at %s and %s", p.Inside(), p.Addr())
	}
	f.end("floodgate-upstream-2", failed("Evicted", "low on memory"))
	<-p.Done()
	if !strings.Contains(p.State(), "Evicted: low on memory") {
		t.Errorf("state %q", p.State())
	}
	if err := p.Stop(0); err != nil {
		t.Error(err)
	}
	first := c.anchor
	f.end(first.job.Name, failed("Evicted", "low on memory"))
	<-first.ended
	p, err = c.StartPod(t.Context(), environment.PodSpec{Name: "upstream", Port: 8080, Log: t.TempDir() + "/log"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(0); err != nil {
		t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if owner := f.jobs[len(f.jobs)-1].OwnerReferences[0].UID; owner == first.job.UID || owner != c.anchor.job.UID {
		t.Errorf("owned by %s", owner)
	}
}

// Only the Jobs of dead runs are removed, and nothing without our label.
func TestClean(t *testing.T) {
	now := time.Now()
	job := func(name, run, role string, ready int32, age time.Duration, managed string) *batchv1.Job {
		return &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", CreationTimestamp: metav1.NewTime(now.Add(-age)), Labels: map[string]string{labelManaged: managed, labelRun: run, labelRole: role}},
			Status:     batchv1.JobStatus{Active: 1, Ready: &ready},
		}
	}
	client := fake.NewClientset(
		job("a-anchor", "alive", roleAnchor, 1, time.Hour, managedBy), job("a-sut", "alive", roleSUT, 1, time.Hour, managedBy),
		job("b-anchor", "starting", roleAnchor, 0, time.Second, managedBy), job("b-sut", "starting", roleSUT, 0, time.Second, managedBy),
		job("c-anchor", "dead", roleAnchor, 0, time.Hour, managedBy), job("c-sut", "dead", roleSUT, 1, time.Hour, managedBy),
		job("d-sut", "orphan", roleSUT, 1, time.Hour, managedBy), job("other", "dead", roleSUT, 0, time.Hour, "helm"),
	)
	removed, err := clean(t.Context(), client, "ns", now)
	want := []string{"job c-anchor of run dead in namespace ns", "job c-sut of run dead in namespace ns", "job d-sut of run orphan in namespace ns"}
	if err != nil || !slices.Equal(removed, want) {
		t.Errorf("removed %q, %v", removed, err)
	}
	left, err := client.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(left.Items) != 5 {
		t.Errorf("%d are left, %v", len(left.Items), err)
	}
}

// Errors that pass are tried again, and others are not.
func TestTransient(t *testing.T) {
	for want, errs := range map[bool][]error{
		true:  {apierrors.NewServiceUnavailable("x"), apierrors.NewTooManyRequests("x", 1), io.EOF},
		false: {nil, context.Canceled, apierrors.NewForbidden(schema.GroupResource{}, "", nil), apierrors.NewNotFound(schema.GroupResource{}, "")},
	} {
		for _, err := range errs {
			if got := transient(err); got != want {
				t.Errorf("%v: %v", err, got)
			}
		}
	}
}
