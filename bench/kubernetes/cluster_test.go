//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"floodgate/bench/kubernetes/cluster"
	"floodgate/results"
)

// The tests of this file need a cluster: .ci/cluster exec makes one, and CI has kind.
// FLOODGATE_KUBERNETES is the program, whose image is on the nodes, as are the images of
// FLOODGATE_PROGRAM_IMAGE and FLOODGATE_SERVICE_IMAGE with the examples in Go. Each has a namespace of
// its own and mostly waits, so that they run beside each other unless one stops a part of
// the cluster.

// bound is how long a test waits for what has to happen.
const bound = 10 * time.Minute

// left is how long objects may be left after a run, however it ended.
const left = time.Minute

// tenant is a namespace with a user that is bound to the documented role and nothing else.
type tenant struct {
	t         *testing.T
	client    kubernetes.Interface // of the administrator
	namespace string
	program   string
	config    string        // kubeconfig of the user
	root      string        // folder of runs
	ended     chan struct{} // closed when the command of begin has ended; nil before begin
}

// newTenant makes a namespace for a test, or skips it without a cluster. change changes the
// role before the user is bound to it.
func newTenant(t *testing.T, change func(*rbacv1.Role)) *tenant {
	t.Helper()
	program := os.Getenv("FLOODGATE_KUBERNETES")
	if program == "" {
		if os.Getenv("FLOODGATE_REQUIRE_KUBERNETES") != "" {
			t.Fatal("FLOODGATE_KUBERNETES must name the program, whose image is on the nodes")
		}
		t.Skip("needs a cluster: make test-kubernetes starts one")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	n, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "floodgate-test-",
		// Our pods need no privilege. The anchor's namespace enforces it.
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := &tenant{t: t, client: client, namespace: n.Name, program: program, root: t.TempDir()}
	t.Cleanup(func() {
		if err := client.CoreV1().Namespaces().Delete(context.Background(), n.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	w.bind(change, config)
	return w
}

// bind makes the user and its kubeconfig.
func (w *tenant) bind(change func(*rbacv1.Role), config *rest.Config) {
	w.t.Helper()
	ctx := w.t.Context()
	role := &rbacv1.Role{}
	if err := yaml.UnmarshalStrict([]byte(cluster.Role), role); err != nil {
		w.t.Fatal(err)
	}
	if change != nil {
		change(role)
	}
	_, err1 := w.client.RbacV1().Roles(w.namespace).Create(ctx, role, metav1.CreateOptions{})
	_, err2 := w.client.CoreV1().ServiceAccounts(w.namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "user"}}, metav1.CreateOptions{})
	_, err3 := w.client.RbacV1().RoleBindings(w.namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "floodgate"}, RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "user", Namespace: w.namespace}},
	}, metav1.CreateOptions{})
	token, err4 := w.client.CoreV1().ServiceAccounts(w.namespace).CreateToken(ctx, "user", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		w.t.Fatal(err)
	}
	user := api.NewConfig()
	user.Clusters["c"] = &api.Cluster{Server: config.Host, InsecureSkipTLSVerify: config.Insecure, CertificateAuthorityData: config.CAData, CertificateAuthority: config.CAFile}
	user.AuthInfos["u"] = &api.AuthInfo{Token: token.Status.Token}
	user.Contexts["x"] = &api.Context{Cluster: "c", AuthInfo: "u", Namespace: w.namespace}
	user.CurrentContext = "x"
	w.config = filepath.Join(w.t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*user, w.config); err != nil {
		w.t.Fatal(err)
	}
}

// command returns the command of the user.
func (w *tenant) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(w.t.Context(), bound)
	w.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, w.program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Env, cmd.Dir = append(os.Environ(), "KUBECONFIG="+w.config), w.root // not in the repository, whose revision is that of the run
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// scenario is a file with a small scenario.
func (w *tenant) scenario(fields string) string {
	path := filepath.Join(w.t.TempDir(), "small.yaml")
	text := `version: 1
name: small
title: Small
items: {kind: phone-numbers}
variants: [{name: one, strategy: sequential}, {name: four, strategy: bounded, limit: 4}]
blocks: 6
` + fields
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// run runs a scenario in the cluster.
func (w *tenant) run(args ...string) (*exec.Cmd, *bytes.Buffer) {
	return w.command(append([]string{"run", "--env", "kubernetes", "--mongo-image", "embedded", "--out", w.root}, args...)...)
}

// exit runs a command to its end, checks its exit code and returns its outputs.
func (w *tenant) exit(cmd *exec.Cmd, out *bytes.Buffer, want ...int) string {
	w.t.Helper()
	err := cmd.Run()
	if !slices.Contains(want, cmd.ProcessState.ExitCode()) {
		w.t.Fatalf("%v, want exit code %d\n%s", err, want, out)
	}
	return out.String()
}

// begin starts a command.
func (w *tenant) begin(cmd *exec.Cmd) {
	w.t.Helper()
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.ended = make(chan struct{})
	go func() {
		defer close(w.ended)
		_ = cmd.Wait()
	}()
}

// stored returns the trials of the only run.
func (w *tenant) stored() *results.Run {
	w.t.Helper()
	dirs, err := os.ReadDir(w.root)
	if err != nil || len(dirs) != 1 {
		w.t.Fatalf("%d runs, %v", len(dirs), err)
	}
	run, err := results.Open(filepath.Join(w.root, dirs[0].Name()))
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// await waits until done accepts the Jobs and pods of the namespace.
func (w *tenant) await(within time.Duration, what string, done func([]batchv1.Job, []corev1.Pod) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	ended := w.ended
	for {
		jobs, err1 := w.client.BatchV1().Jobs(w.namespace).List(ctx, metav1.ListOptions{})
		pods, err2 := w.client.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{})
		if err := errors.Join(err1, err2); err != nil {
			w.t.Fatalf("%s: %v", what, err)
		}
		if done(jobs.Items, pods.Items) {
			return
		}
		jobEvents, err1 := w.client.BatchV1().Jobs(w.namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: jobs.ResourceVersion})
		podEvents, err2 := w.client.CoreV1().Pods(w.namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: pods.ResourceVersion})
		if err := errors.Join(err1, err2); err != nil {
			w.t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-jobEvents.ResultChan():
		case <-podEvents.ResultChan():
		case <-ended:
			ended = nil // once
		}
		jobEvents.Stop()
		podEvents.Stop()
		if ctx.Err() != nil {
			text, _ := json.Marshal([]any{jobs.Items, pods.Items})
			w.t.Fatalf("%s: not within %v: %s", what, within, text)
		}
	}
}

// nothingLeft waits until no object is left.
func (w *tenant) nothingLeft() {
	w.t.Helper()
	began := time.Now()
	w.await(left, "0 objects left", func(jobs []batchv1.Job, pods []corev1.Pod) bool { return len(jobs)+len(pods) == 0 })
	w.t.Logf("0 objects left after %v", time.Since(began).Round(100*time.Millisecond))
}

// sutRuns waits until the n-th pod of a SUT of this test runs, and returns its name.
func (w *tenant) sutRuns(n int) string {
	w.t.Helper()
	seen, name := map[string]bool{}, ""
	w.await(bound, "a pod of a SUT", func(_ []batchv1.Job, pods []corev1.Pod) bool {
		select {
		case <-w.ended:
			w.t.Fatal("the command ended")
		default:
		}
		for _, p := range pods {
			if p.Labels["floodgate/role"] == "sut" && p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil {
				seen[p.Name], name = true, p.Name
			}
		}
		return len(seen) >= n
	})
	return name
}

// slow is a level whose trials take seconds.
const slow = "upstream: {latency: {distribution: constant, value: 50ms}}\nlevels: [{items: 60}]\n"

// The built-in scenario has the claims that it has elsewhere, its documents are complete,
// and nothing is left in the cluster.
func TestReport(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	cmd, out := w.run("report", "--quick")
	text := w.exit(cmd, out, 0, 3) // what a noisy machine leaves open is no failure
	t.Log(text)
	run := w.stored()
	if e := run.Header.Environment; e.Kind != "kubernetes" || !strings.HasPrefix(e.Engine, "Kubernetes v1.") || len(e.Containers) != 2 {
		t.Errorf("environment %+v", e)
	}
	for _, trial := range run.Trials {
		d := trial.Documents
		if trial.Outcome != results.OutcomeOK || d.Found != d.Expected || d.Expected == 0 || d.Lost+d.Duplicate+d.Corrupt+d.Foreign != 0 {
			t.Errorf("trial %d: %s %s, documents %+v", trial.Index, trial.Outcome, trial.Reason, d)
		}
		if fd := trial.Descriptors; fd.Baseline == 0 || fd.Peak <= fd.Baseline || fd.Outside == nil || fd.Outside.Upstream == 0 || fd.Leaked == nil || *fd.Leaked != 0 {
			t.Errorf("trial %d: descriptors %+v", trial.Index, fd)
		}
		if trial.Container == nil || trial.Container.Node == "" {
			t.Errorf("trial %d: the node is missing: %+v", trial.Index, trial.Container)
		}
	}
	w.nothingLeft()
	cmd, out = w.command("report", "latest", "--out", w.root)
	w.exit(cmd, out, 0, 3)
}

// A database that answers late is behind a proxy in a pod.
func TestDelayedDatabase(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	cmd, out := w.run(w.scenario("database: {latency: 20ms}\nlevels: [{items: 20}]\n"))
	w.exit(cmd, out, 0, 3)
	for _, trial := range w.stored().Trials {
		if trial.Outcome != results.OutcomeOK || trial.Variant == "one" && trial.Makespan < 20*20*time.Millisecond {
			t.Errorf("trial %d: %s %s %v", trial.Index, trial.Outcome, trial.Reason, trial.Makespan)
		}
	}
	w.nothingLeft()
}

// The hosts of a trial are the pods of one Job, and nothing is lost between them.
func TestHosts(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	cmd, out := w.run(w.scenario("upstream: {latency: {distribution: constant, value: 20ms}}\nsut: {hosts: 3}\nlevels: [{items: 60}]\n"))
	w.exit(cmd, out, 0, 3)
	for _, trial := range w.stored().Trials {
		late := trial.Outcome == results.OutcomeInvalid && strings.Contains(trial.Reason, "the hosts started") // on a busy machine
		if trial.Outcome != results.OutcomeOK && !late || len(trial.Hosts) != 3 || trial.Documents.Found != 60 || trial.Documents.Lost != 0 {
			t.Errorf("trial %d: %s %s, %d hosts, documents %+v", trial.Index, trial.Outcome, trial.Reason, len(trial.Hosts), trial.Documents)
			continue
		}
		t.Logf("trial %d: makespan %v, skew %v ± %v", trial.Index, trial.Makespan, trial.Fleet.Skew, trial.Fleet.Uncertainty)
		for _, h := range trial.Hosts {
			if h.Container == nil || h.Container.Node == "" || h.Descriptors.Peak == 0 {
				t.Errorf("trial %d, host %d: %+v", trial.Index, h.Index, h)
			}
		}
	}
	w.nothingLeft()
}

// A service gets its load from two pods, and nothing of it goes through the API server but
// their counts.
func TestService(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	cmd, out := w.run(w.scenario("service: {report_items: 4, arrivals: {rate: 20}, duration: 2s, generators: 2}\nlevels: [{service.arrivals.rate: 20}]\n"))
	w.exit(cmd, out, 0, 3)
	ok := 0
	for _, trial := range w.stored().Trials {
		busy := trial.Outcome == results.OutcomeInvalid && strings.Contains(trial.Reason, "load generator")
		if trial.Outcome != results.OutcomeOK && !busy {
			t.Errorf("trial %d: %s %s", trial.Index, trial.Outcome, trial.Reason)
		}
		if s := trial.Service; s != nil {
			ok++
			if s.Due != 40 || s.OK != 40 || !s.Recovered || len(s.Generators) != 2 {
				t.Errorf("trial %d: %d due, %d done, %v, %d generators", trial.Index, s.Due, s.OK, s.Errors, len(s.Generators))
			}
			for _, g := range s.Generators {
				t.Logf("trial %d: generator %d: lag p99 %v, start %v ± %v", trial.Index, g.Index, g.Lag.P99, g.Start, g.Uncertainty)
				if g.Due != 20 || g.Container == nil || g.Container.Node == "" {
					t.Errorf("trial %d: generator %+v", trial.Index, g)
				}
			}
		}
		if d := trial.Documents; trial.Outcome == results.OutcomeOK && (d.Found != 41*4 || d.Lost != 0) { // one report more
			t.Errorf("trial %d: documents %+v", trial.Index, d)
		}
	}
	if ok == 0 {
		t.Errorf("no trial was loaded\n%s", out)
	}
	w.nothingLeft()
}

// exampleImage returns the image of an example, whose program is /floodgate there.
func exampleImage(t *testing.T, variable string) string {
	t.Helper()
	image := os.Getenv(variable)
	if image == "" {
		t.Fatalf("%s must name the image of an example on the nodes", variable)
	}
	return image
}

// A program of the user's own runs in its image, in as many pods as the trial has hosts, and
// is measured like the built-in one.
func TestOwnProgram(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	image := exampleImage(t, "FLOODGATE_PROGRAM_IMAGE")
	path := w.scenario(fmt.Sprintf("upstream: {latency: {distribution: constant, value: 20ms}}\nsut: {hosts: 2, nofile: 200, command: [/floodgate], container: {image: %q}, memory: 128MiB}\nlevels: [{items: 40}]\n", image))
	cmd, out := w.run(path)
	w.exit(cmd, out, 0, 3)
	for _, trial := range w.stored().Trials {
		late := trial.Outcome == results.OutcomeInvalid && strings.Contains(trial.Reason, "the hosts started") // on a busy machine
		if trial.Outcome != results.OutcomeOK && !late || len(trial.Hosts) != 2 || trial.Documents.Found != 40 || trial.Documents.Lost != 0 {
			t.Errorf("trial %d: %s %s, %d hosts, documents %+v", trial.Index, trial.Outcome, trial.Reason, len(trial.Hosts), trial.Documents)
			continue
		}
		for _, h := range trial.Hosts {
			if d := h.Descriptors; h.Container == nil || h.Container.Image != image || d.Baseline == 0 || d.Outside == nil || d.Outside.Upstream == 0 {
				t.Errorf("trial %d, host %d: %+v", trial.Index, h.Index, h)
			}
		}
	}
	w.nothingLeft()
}

// A service of the user's own gets its load from pods. Its descriptors are counted by
// endpoint, and a leak is told from the load.
func TestOwnService(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	path := filepath.Join(t.TempDir(), "own.yaml")
	text := fmt.Sprintf(`version: 1
name: own
title: A service in a pod
sut:
  command: [/floodgate, -addr, "{{addr}}", -leak-every, "{{every}}"]
  env: {UPSTREAM_URL: "{{upstream.url}}"}
  container: {image: %q}
  nofile: 512
service:
  requests: [{method: POST, path: "/reports/{{n}}"}]
  arrivals: {rate: 50}
  duration: 4s
  generators: 2
variants:
  - {name: sound, vars: {every: 0}}
  - {name: leaking, vars: {every: 10}}
`, exampleImage(t, "FLOODGATE_SERVICE_IMAGE"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, out := w.run(path)
	w.exit(cmd, out, 0, 3)
	loaded := 0
	for _, trial := range w.stored().Trials {
		busy := trial.Outcome == results.OutcomeInvalid && strings.Contains(trial.Reason, "load generator")
		if trial.Outcome != results.OutcomeOK && !busy {
			t.Errorf("trial %d: %s %s\n%s", trial.Index, trial.Outcome, trial.Reason, trial.StderrTail)
			continue
		}
		loaded++
		s, d := trial.Service, trial.Descriptors
		if s.Due != 200 || s.OK != 200 || !s.Recovered || s.Drain == nil || len(s.Generators) != 2 {
			t.Errorf("trial %d: %d due, %d done, %v, recovered %v, drain %v, %d generators", trial.Index, s.Due, s.OK, s.Errors, s.Recovered, s.Drain, len(s.Generators))
		}
		upstream := s.Series.Columns[results.ColumnDescriptorsUpstream]
		if len(upstream) == 0 {
			t.Errorf("trial %d: its connections to the upstream are unknown", trial.Index)
			continue
		}
		if grew := upstream[len(upstream)-1] - upstream[0]; trial.Variant == "leaking" && grew < 15 || len(d.Endpoints) == 0 || d.Peak == 0 || trial.Container == nil || trial.Container.Node == "" {
			t.Errorf("trial %d: %d more connections to the upstream, endpoints %+v, in %+v", trial.Index, grew, d.Endpoints, trial.Container)
		}
		if len(trial.Warnings) > 0 {
			t.Errorf("trial %d: %q", trial.Index, trial.Warnings)
		}
	}
	if loaded == 0 {
		t.Errorf("no trial was loaded\n%s", out)
	}
	w.nothingLeft()
}

// The cluster removes everything after kill -9, and the run is continued.
func TestKilled(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	killed, _ := w.run(w.scenario(slow))
	w.begin(killed)
	w.sutRuns(2)
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-w.ended
	w.nothingLeft()
	cmd, out := w.command("run", "--resume", "latest", "--out", w.root)
	w.exit(cmd, out, 0, 3)
	if n := len(w.stored().Trials); n != 12 {
		t.Errorf("%d trials", n)
	}
	w.nothingLeft()
}

// Ctrl-C ends a run that can be continued.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	cmd, out := w.run(w.scenario(slow))
	w.begin(cmd)
	w.sutRuns(1)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-w.ended
	if code := cmd.ProcessState.ExitCode(); code != 4 || !strings.Contains(out.String(), "resume with: floodgate run --resume") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	w.nothingLeft()
}

// A trial whose pod the cluster takes away does not count, and is run again.
func TestPodTaken(t *testing.T) {
	for _, test := range []struct {
		name   string
		alone  bool   // other tests would notice
		reason string // that the record or the output has; empty means the name of the pod
		take   func(t *testing.T, w *tenant, pod string)
	}{
		{"deleted", false, "", func(t *testing.T, w *tenant, pod string) {
			if err := w.client.CoreV1().Pods(w.namespace).Delete(t.Context(), pod, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}},
		{"evicted", false, "", func(t *testing.T, w *tenant, pod string) {
			eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: w.namespace}}
			if err := w.client.PolicyV1().Evictions(w.namespace).Evict(t.Context(), eviction); err != nil {
				t.Fatal(err)
			}
		}},
		{"preempted", true, "", func(_ *testing.T, w *tenant, pod string) { w.preempt(pod) }},
		{"node lost", true, "ended: pod ", func(t *testing.T, w *tenant, pod string) { // the servers are lost as well
			kubelet := part(t, "kubelet")
			if err := syscall.Kill(kubelet, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			defer syscall.Kill(kubelet, syscall.SIGCONT)
			w.taken(pod)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !test.alone {
				t.Parallel()
			}
			if test.name == "node lost" {
				part(t, "kubelet")
			}
			w := newTenant(t, nil)
			// With requests for CPUs, a pod of higher priority takes the place of a SUT.
			cmd, out := w.run(w.scenario("sut: {container: true, cpus: 0.2}\n" + slow))
			w.begin(cmd)
			pod := w.sutRuns(2)
			test.take(t, w, pod)
			<-w.ended
			run := w.stored()
			lost := cmp.Or(test.reason, pod)
			found, missing := strings.Contains(out.String(), lost), 0
			for _, trial := range run.Trials {
				if trial.Outcome != results.OutcomeOK {
					missing++
				}
				// The node may be lost before the SUT could say that it is ready, which looks like its own fault.
				if trial.Outcome != results.OutcomeOK && (test.name != "node lost" || !trial.NotReady) {
					t.Errorf("trial %d: %s %s", trial.Index, trial.Outcome, trial.Reason)
				}
				text, _ := json.Marshal(trial)
				found = found || strings.Contains(string(text), lost)
			}
			if code := cmd.ProcessState.ExitCode(); code != 0 && code != 3 && (code != 4 || missing == 0) {
				t.Errorf("exit code %d\n%s", code, out)
			}
			if len(run.Trials) != 12 || !found {
				t.Errorf("%d trials, and the loss of %s is mentioned: %v\n%s", len(run.Trials), pod, found, out)
			}
			w.nothingLeft()
		})
	}
}

// taken waits until the cluster has given up a pod.
func (w *tenant) taken(pod string) {
	w.t.Helper()
	w.await(bound, "the loss of "+pod, func(_ []batchv1.Job, pods []corev1.Pod) bool {
		return !slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.Name == pod && p.DeletionTimestamp == nil })
	})
}

// preempt has a pod of higher priority take the place of another.
func (w *tenant) preempt(pod string) {
	w.t.Helper()
	nodes, err := w.client.CoreV1().Nodes().List(w.t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 1 {
		w.t.Fatalf("%d nodes, %v", len(nodes.Items), err)
	}
	cpus := nodes.Items[0].Status.Allocatable.Cpu().DeepCopy()
	cpus.Sub(resource.MustParse("100m")) // less than a SUT requests is left
	others, err := w.client.CoreV1().Pods("").List(w.t.Context(), metav1.ListOptions{FieldSelector: "metadata.namespace!=" + w.namespace})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, other := range others.Items {
		for _, c := range other.Spec.Containers {
			cpus.Sub(*c.Resources.Requests.Cpu())
		}
	}
	class, err := w.client.SchedulingV1().PriorityClasses().Create(w.t.Context(), &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{GenerateName: "floodgate-test-"}, Value: 1000}, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		if err := w.client.SchedulingV1().PriorityClasses().Delete(context.Background(), class.Name, metav1.DeleteOptions{}); err != nil {
			w.t.Error(err)
		}
	}()
	// Its image does not exist: it only takes the place.
	_, err = w.client.CoreV1().Pods(w.namespace).Create(w.t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "preemptor"}, Spec: corev1.PodSpec{
		PriorityClassName: class.Name, SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(65532)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "main", Image: "floodgate.local/none:1", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: cpus}},
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		}},
	}}, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.taken(pod)
	if err := w.client.CoreV1().Pods(w.namespace).Delete(w.t.Context(), "preemptor", metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}); err != nil {
		w.t.Fatal(err)
	}
}

// A SUT that needs more memory than its limit has crashed.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	cmd, out := w.run(w.scenario("upstream: {body: {min_records: 3000, max_records: 3000}}\nsut: {container: true, memory: 24MiB}\nlevels: [{items: 400}]\n"))
	_ = cmd.Run()
	run := w.stored()
	if len(run.Trials) == 0 {
		t.Fatalf("no trials\n%s", out)
	}
	if !slices.ContainsFunc(run.Trials, func(trial results.Trial) bool {
		return trial.Outcome == results.OutcomeCrashed && strings.Contains(trial.Reason, "OOMKilled: it needed more memory than its limit of 24Mi")
	}) {
		t.Errorf("trial 0: %s %s\n%s", run.Trials[0].Outcome, run.Trials[0].Reason, out)
	}
	w.nothingLeft()
}

// What the cluster cannot run is an error that says why.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		fields string
		args   []string
		change func(*rbacv1.Role)
		want   []string
	}{
		{
			"unschedulable", "sut: {container: true, cpus: 1000}\nlevels: [{items: 5}]\n", []string{"--pod-timeout", "5s"}, nil,
			[]string{"cannot be scheduled: Unschedulable", "Insufficient cpu", "FailedScheduling"},
		},
		{
			"image", "levels: [{items: 5}]\n", []string{"--image", "floodgate.local/none:1"}, nil,
			[]string{"start the anchor: pod floodgate-anchor-", "cannot start: ImagePullBackOff", "image floodgate.local/none:1 is not on the node: check the name of --image"},
		},
		{
			"create jobs", "levels: [{items: 5}]\n", nil, without("jobs", "create"),
			[]string{"cannot create resource \"jobs\"", "this needs the verbs create of jobs in namespace", "floodgate kubernetes render --role"},
		},
		{
			"attach", "levels: [{items: 5}]\n", nil, without("pods/attach", "create", "get"),
			[]string{"this needs the verbs create and get of pods/attach"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newTenant(t, test.change)
			cmd, out := w.run(append([]string{w.scenario(test.fields)}, test.args...)...)
			text := w.exit(cmd, out, 4)
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			w.nothingLeft()
		})
	}
}

// without drops verbs of a resource from the role.
func without(resource string, verbs ...string) func(*rbacv1.Role) {
	return func(r *rbacv1.Role) {
		for i := range r.Rules {
			if slices.Contains(r.Rules[i].Resources, resource) {
				r.Rules[i].Verbs = slices.DeleteFunc(r.Rules[i].Verbs, func(v string) bool { return slices.Contains(verbs, v) })
			}
		}
		r.Rules = slices.DeleteFunc(r.Rules, func(rule rbacv1.PolicyRule) bool { return len(rule.Verbs) == 0 })
	}
}

// part returns the PID of a program of .ci/cluster, or skips the test on another cluster.
func part(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(os.Getenv("FLOODGATE_CLUSTER"), name+".pid"))
	if err != nil {
		t.Skipf("needs the programs of .ci/cluster: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// A run survives ten seconds without the API server.
func TestAPIServerAway(t *testing.T) {
	w := newTenant(t, nil)
	pid := part(t, "apiserver")
	cmd, out := w.run(w.scenario(slow))
	w.begin(cmd)
	w.sutRuns(2)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Second) // the outage
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	<-w.ended
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 3 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	for _, trial := range w.stored().Trials {
		if trial.Outcome != results.OutcomeOK {
			t.Errorf("trial %d: %s %s", trial.Index, trial.Outcome, trial.Reason)
		}
	}
	w.nothingLeft()
}

// Dead runs are removed from the cluster on request.
func TestDoctorClean(t *testing.T) {
	t.Parallel()
	w := newTenant(t, nil)
	m := cluster.Manifests{Run: "20261101-080000.000-000001", Namespace: w.namespace, Image: "floodgate.local/none:1"}
	job := m.Anchor()
	job.Labels["floodgate/role"] = "upstream" // whose anchor is gone
	if _, err := w.client.BatchV1().Jobs(w.namespace).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	other, err := w.client.BatchV1().Jobs(w.namespace).Create(t.Context(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "other", Labels: map[string]string{"app": "other"}}, Spec: job.Spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cmd, out := w.command("doctor", "--clean", "--env", "kubernetes")
	if text := w.exit(cmd, out, 0); !strings.Contains(text, "of run 20261101-080000.000-000001 in namespace "+w.namespace) {
		t.Errorf("%s", text)
	}
	jobs, err := w.client.BatchV1().Jobs(w.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) != 1 || jobs.Items[0].Name != other.Name {
		t.Errorf("%d Jobs are left, %v", len(jobs.Items), err)
	}
}
