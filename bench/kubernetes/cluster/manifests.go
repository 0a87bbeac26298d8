package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"floodgate/bench/environment"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/scenarios"
)

// Labels of every object.
const (
	labelManaged = "app.kubernetes.io/managed-by"
	labelRun     = "floodgate/run"
	labelRole    = "floodgate/role"
	managedBy    = "floodgate"
)

// Roles of objects, besides those of servers.
const (
	roleAnchor    = "anchor"
	roleSUT       = "sut"
	roleGenerator = "generator"
)

// Names of containers. Each pod has one, and that of a SUT a probe as well. Before a program
// of the user's own, another one installs its launcher.
const (
	mainContainer    = "main"
	probeContainer   = "probe"
	installContainer = "install"
)

// sutMark is the variable in the environment of a SUT by which its probe finds it.
const sutMark = probe.MarkName + "=1"

// Bounds of objects, for the case that neither the harness nor the anchor removes them.
const (
	runDeadline = 24 * time.Hour
	// finishedTTL is how long the end of a pod can be read.
	finishedTTL = 30 * time.Second
	// lossTolerance is how long pods stay on a node that is not reachable.
	lossTolerance = 15 * time.Second
)

// user is the user and the group of our own image, and of a program of the user's own, whose
// descriptors the probe could not see otherwise.
const user = 65532

// launcher is the folder of a pod in which our own program is for a program of the user's
// own, and its path there.
const (
	launcherFolder = "/floodgate-launcher"
	launcher       = launcherFolder + "/floodgate"
)

// Manifests makes the objects of one run.
type Manifests struct {
	// Run is the ID of the run, and Namespace the namespace of its objects.
	Run, Namespace string
	// Image is the image of this program.
	Image string
	// Owner is the anchor, which all other objects end with; nil means that there is none yet.
	Owner *metav1.OwnerReference
}

// Anchor returns the Job whose pod runs as long as the harness does.
func (m Manifests) Anchor() *batchv1.Job {
	m.Owner = nil
	job := m.job(roleAnchor, m.own([]string{environment.AnchorArg}, scenarios.Limits{}), runDeadline)
	*job.Spec.TTLSecondsAfterFinished = 0 // what it owns goes with it
	attachable(&job.Spec.Template.Spec.Containers[0], false)
	return job
}

// Server returns the Job of a server.
func (m Manifests) Server(s environment.PodSpec) *batchv1.Job {
	pod := m.own(s.Args, s.Limits)
	c := &pod.Containers[0]
	if s.Image != "" {
		pod = corev1.PodSpec{Containers: []corev1.Container{{
			Name: mainContainer, Image: s.Image, Args: s.Args, ImagePullPolicy: corev1.PullIfNotPresent, Resources: resources(s.Limits),
		}}}
		c = &pod.Containers[0]
	}
	c.Ports = []corev1.ContainerPort{{ContainerPort: int32(s.Port), Protocol: corev1.ProtocolTCP}}
	c.ReadinessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(int32(s.Port))}},
		PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 1000,
	}
	if s.Attached {
		attachable(c, true)
	}
	if s.Data != "" {
		folder(&pod, "data", s.Data)
	}
	if s.Image == "" {
		folder(&pod, "tmp", "/tmp")
	}
	return m.job(s.Name, pod, runDeadline)
}

// SUT returns the Job of a trial, in which each host has a pod: the SUT, and its probe
// beside it. In the image of a program of the user's own, our own program, which an init
// container has copied there, runs with the arguments and becomes that program.
func (m Manifests) SUT(h sut.Host, args []string) *batchv1.Job {
	pod := m.own(args, h.Limits)
	if h.Image != "" {
		pod.InitContainers = m.own(sut.InstallArgs(launcher), scenarios.Limits{}).Containers
		pod.InitContainers[0].Name = installContainer
		c := &pod.Containers[0]
		c.Image, c.Command, c.SecurityContext.ReadOnlyRootFilesystem = h.Image, []string{launcher}, nil
		folder(&pod, "launcher", launcherFolder)
		pod.InitContainers[0].VolumeMounts = slices.Clone(c.VolumeMounts)
	}
	name, value, _ := strings.Cut(sutMark, "=")
	pod.Containers[0].Env = []corev1.EnvVar{{Name: name, Value: value}}
	beside := m.own([]string{probe.ChildArg}, scenarios.Limits{}).Containers[0]
	beside.Name = probeContainer
	pod.Containers = append(pod.Containers, beside)
	for i := range pod.Containers {
		attachable(&pod.Containers[i], true)
	}
	pod.ShareProcessNamespace = new(true)
	return m.fleet(roleSUT, h, pod)
}

// Generator returns the Job of the load generators of a trial.
func (m Manifests) Generator(h sut.Host, args []string) *batchv1.Job {
	pod := m.own(args, scenarios.Limits{})
	attachable(&pod.Containers[0], true)
	return m.fleet(roleGenerator, h, pod)
}

// fleet returns a Job of a trial with a pod for each host, spread over the nodes.
func (m Manifests) fleet(role string, h sut.Host, pod corev1.PodSpec) *batchv1.Job {
	pod.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{labelRun: m.Run, labelRole: role}},
	}}
	job := m.job(role, pod, h.Deadline)
	job.Spec.Completions, job.Spec.Parallelism = new(int32(max(1, h.Hosts))), new(int32(max(1, h.Hosts)))
	job.Annotations = map[string]string{"floodgate/trial": h.Trial}
	return job
}

// own returns a pod with a container of our own image.
func (m Manifests) own(args []string, l scenarios.Limits) corev1.PodSpec {
	return corev1.PodSpec{
		Containers: []corev1.Container{{
			Name: mainContainer, Image: m.Image, Args: args, ImagePullPolicy: corev1.PullIfNotPresent, Resources: resources(l),
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(user)), RunAsGroup: new(int64(user)), FSGroup: new(int64(user)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// job returns a Job with one pod.
func (m Manifests) job(role string, pod corev1.PodSpec, deadline time.Duration) *batchv1.Job {
	labels := map[string]string{labelManaged: managedBy, labelRun: m.Run, labelRole: role}
	pod.RestartPolicy = corev1.RestartPolicyNever
	pod.AutomountServiceAccountToken, pod.EnableServiceLinks = new(false), new(false)
	pod.TerminationGracePeriodSeconds = new(int64(2))
	for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		pod.Tolerations = append(pod.Tolerations, corev1.Toleration{
			Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(lossTolerance.Seconds())),
		})
	}
	job := &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: fmt.Sprintf("floodgate-%s-", role), Namespace: m.Namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			Completions: new(int32(1)), Parallelism: new(int32(1)), CompletionMode: new(batchv1.IndexedCompletion), BackoffLimit: new(int32(0)),
			ActiveDeadlineSeconds: new(int64(deadline.Seconds())), TTLSecondsAfterFinished: new(int32(finishedTTL.Seconds())),
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(labels)}, Spec: pod},
		},
	}
	if m.Owner != nil {
		job.OwnerReferences = []metav1.OwnerReference{*m.Owner}
	}
	return job
}

// attachable lets the harness attach to a container, once only if the end of the attachment
// must end its standard input.
func attachable(c *corev1.Container, once bool) { c.Stdin, c.StdinOnce = true, once }

// folder mounts an empty folder in the first container.
func folder(pod *corev1.PodSpec, name, path string) {
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	pod.Containers[0].VolumeMounts = append(pod.Containers[0].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
}

// resources returns requests and limits that are equal.
func resources(l scenarios.Limits) corev1.ResourceRequirements {
	list := corev1.ResourceList{}
	if l.CPUs > 0 {
		list[corev1.ResourceCPU] = *resource.NewMilliQuantity(int64(l.CPUs*1000+0.5), resource.DecimalSI)
	}
	if l.Memory > 0 {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(l.Memory), resource.BinarySI)
	}
	if len(list) == 0 {
		return corev1.ResourceRequirements{}
	}
	return corev1.ResourceRequirements{Requests: list, Limits: maps.Clone(list)}
}
