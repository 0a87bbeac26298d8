package cluster

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod returns a pod of a SUT, changed by the functions.
func pod(change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "floodgate-sut-x-0-y", Labels: map[string]string{batchv1.JobNameLabel: "floodgate-sut-x"}},
		Spec: corev1.PodSpec{NodeName: "node1", Containers: []corev1.Container{{
			Name: mainContainer, Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: mainContainer, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func exited(code int32, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}
	}
}

func waiting(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodPending
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
}

// installing is a pod whose init container is in a state.
func installing(state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		waiting("PodInitializing", "")(p)
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: installContainer, State: state}}
	}
}

func failed(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, reason, message
	}
}

func condition(kind corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: message})
	}
}

// The end of a pod is the program's own, or the host was lost.
func TestEnding(t *testing.T) {
	now := metav1.Now()
	deleted := func(p *corev1.Pod) { p.DeletionTimestamp = &now }
	for _, test := range []struct {
		name string
		s    state
		want ending
	}{
		{"exit", state{pod: pod(exited(0, "Completed"))}, ending{0, "exit status 0", false}},
		{"failure", state{pod: pod(exited(4, "Error"))}, ending{4, "exit status 4", false}},
		{"memory", state{pod: pod(exited(137, "OOMKilled"))}, ending{-1, "OOMKilled: it needed more memory than its limit of 64Mi", false}},
		{"killed", state{pod: pod(exited(137, "Error"))}, ending{-1, "signal: killed", false}},
		{"terminated", state{pod: pod(exited(143, "Error"))}, ending{-1, "signal: terminated", false}},
		{"not installed", state{pod: pod(installing(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 4}}))}, ending{-1, "container install of pod floodgate-sut-x-0-y ended with exit status 4", false}},
		{"unusual", state{pod: pod(exited(128, "StartError"))}, ending{128, "exit status 128 (StartError: )", false}},
		{"evicted", state{pod: pod(failed("Evicted", "The node was low on resource: memory."))}, ending{-1, "pod floodgate-sut-x-0-y on node node1: Evicted: The node was low on resource: memory.", true}},
		{"deadline", state{pod: pod(failed("DeadlineExceeded", "Pod was active too long"))}, ending{-1, "pod floodgate-sut-x-0-y on node node1: DeadlineExceeded: Pod was active too long", false}},
		{"preempted", state{pod: pod(exited(137, "Error"), condition(corev1.DisruptionTarget, corev1.ConditionTrue, "PreemptionByScheduler", "preempting"))}, ending{-1, "pod floodgate-sut-x-0-y on node node1 was disrupted: PreemptionByScheduler: preempting", true}},
		{"node lost", state{pod: pod(condition(corev1.DisruptionTarget, corev1.ConditionTrue, "DeletionByTaintManager", "unreachable"))}, ending{-1, "pod floodgate-sut-x-0-y on node node1 was disrupted: DeletionByTaintManager: unreachable", true}},
		{"being deleted", state{pod: pod(deleted)}, ending{-1, "pod floodgate-sut-x-0-y on node node1 was deleted", true}},
		{"gone", state{pod: pod(), gone: true}, ending{-1, "pod floodgate-sut-x-0-y on node node1 was deleted", true}},
	} {
		if got, ended := test.s.ending(); !ended || got != test.want {
			t.Errorf("%s: %+v, %v; want %+v", test.name, got, ended, test.want)
		}
	}
	if got, ended := (&state{pod: pod()}).ending(); ended {
		t.Errorf("a running pod ended: %+v", got)
	}
}

// A pod that can never start is an error at once, and others are waited for.
func TestRunning(t *testing.T) {
	for _, test := range []struct {
		name string
		pod  *corev1.Pod
		ok   bool
		want string // of the error
	}{
		{"none", nil, false, ""},
		{"running", pod(), true, ""},
		{"pulling", pod(waiting("ContainerCreating", "")), false, ""},
		{"first failure of a pull", pod(waiting("ErrImagePull", "try again")), false, ""},
		{"no image", pod(waiting("ImagePullBackOff", "not found")), true, "pod floodgate-sut-x-0-y cannot start: ImagePullBackOff: not found"},
		{"installed", pod(installing(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}})), false, ""},
		{"no image of the launcher", pod(installing(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "own"}})), true, "cannot start: ImagePullBackOff: own"},
		{"bad name", pod(waiting("InvalidImageName", "bad")), true, "InvalidImageName: bad"},
		{"ended", pod(exited(2, "Error")), true, "pod floodgate-sut-x-0-y ended before it was ready: exit status 2"},
	} {
		var s *state
		if test.pod != nil {
			s = &state{pod: test.pod}
		}
		ok, err := running(s, true)
		if ok != test.ok || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v; want %v, %q", test.name, ok, err, test.ok, test.want)
		}
	}
	unready := pod(func(p *corev1.Pod) { p.Status.ContainerStatuses[0].Ready = false })
	for ready, want := range map[bool]bool{true: false, false: true} {
		if got, err := running(&state{pod: unready}, ready); got != want || err != nil {
			t.Errorf("ready %v: %v, %v", ready, got, err)
		}
	}
}

// A pod that has not started in time is described by what it waits for.
func TestPending(t *testing.T) {
	for want, s := range map[string]*state{
		"no pod was created": nil,
		"pod floodgate-sut-x-0-y cannot be scheduled: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.": {pod: pod(condition(corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu."))},
		"pod floodgate-sut-x-0-y has not started: ContainerCreating ":                                              {pod: pod(waiting("ContainerCreating", ""))},
		`pod floodgate-sut-x-0-y is Running on node "node1"`:                                                       {pod: pod()},
	} {
		if got := pending(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
