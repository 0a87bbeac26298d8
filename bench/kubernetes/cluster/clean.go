package cluster

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// youth is how long an anchor may take to start.
const youth = 10 * time.Minute

// Clean removes the Jobs of runs without a running anchor from a namespace, and describes
// them. Objects without our label are never touched.
func Clean(ctx context.Context, config *rest.Config, namespace string) (removed []string, err error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return clean(ctx, client, namespace, time.Now())
}

func clean(ctx context.Context, client kubernetes.Interface, namespace string, now time.Time) (removed []string, err error) {
	c := &Cluster{options: Options{Namespace: namespace}, client: client, pods: &tracker{pods: map[place]*state{}}}
	jobs, err := client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{LabelSelector: labelManaged + "=" + managedBy})
	if err != nil {
		return nil, c.denied("list", "jobs", err)
	}
	alive := map[string]bool{}
	for _, job := range jobs.Items {
		if job.Labels[labelRole] == roleAnchor && anchored(&job, now) {
			alive[job.Labels[labelRun]] = true
		}
	}
	for _, job := range jobs.Items {
		run, ours := job.Labels[labelRun]
		if !ours || alive[run] {
			continue
		}
		if err := c.remove(job.Name); err != nil {
			return removed, err
		}
		removed = append(removed, fmt.Sprintf("job %s of run %s in namespace %s", job.Name, run, namespace))
	}
	return removed, nil
}

// anchored reports whether an anchor runs, or may still start.
func anchored(job *batchv1.Job, now time.Time) bool {
	if job.Status.Ready != nil && *job.Status.Ready > 0 {
		return true
	}
	return job.Status.Active > 0 && now.Sub(job.CreationTimestamp.Time) < youth
}
