package cluster

import (
	"context"
	"io"
	"sync/atomic"

	batchv1 "k8s.io/api/batch/v1"

	"floodgate/bench/load/generator"
	"floodgate/bench/sut"
)

// generatorPod is a pod with a load generator of a trial.
type generatorPod struct {
	*member
	ending atomic.Bool   // its input was closed, which ends it
	over   chan struct{} // closed when it has ended and how is set
	how    string
}

// LaunchGenerator starts a load generator of a trial in a pod. Those of a trial, which are
// launched at the same time, share a Job, which is removed when all have ended.
func (c *Cluster) LaunchGenerator(ctx context.Context, h sut.Host, args []string) (generator.Launched, error) {
	m, err := c.launch(ctx, roleGenerator, h, func(m Manifests, h sut.Host) *batchv1.Job { return m.Generator(h, args) })
	if err != nil {
		return nil, err
	}
	c.wg.Go(func() { _, _ = io.Copy(io.Discard, m.stderr) }) // which ends with the streams
	g := &generatorPod{member: m, over: make(chan struct{})}
	c.wg.Go(g.end)
	return g, nil
}

// Input returns the standard input, whose end ends the load generator.
func (g *generatorPod) Input() io.WriteCloser { return generatorInput{g} }

type generatorInput struct{ *generatorPod }

func (i generatorInput) Write(b []byte) (int, error) { return i.stdin.Write(b) }

func (i generatorInput) Close() error {
	i.ending.Store(true)
	return i.stdin.Close()
}

// end waits for the end of the load generator and frees its pod. The cluster reports the end
// of one that was told to end a moment later, for which nothing waits.
func (g *generatorPod) end() {
	<-g.done
	if g.how = "exit status 0"; !g.ending.Load() || g.err != nil {
		g.how = g.exit().Text
	}
	close(g.over)
	g.free()
}

// Done returns a channel that is closed when the load generator has ended.
func (g *generatorPod) Done() <-chan struct{} { return g.over }

// State describes the end of the load generator.
func (g *generatorPod) State() string { return g.how }
