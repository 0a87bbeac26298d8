package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"floodgate/bench/probe"
	"floodgate/bench/progress"
	"floodgate/results/text"
	"floodgate/results/watched"
)

// watcher samples a process periodically, and stores and shows the samples.
type watcher struct {
	process interface {
		Count() (int, error)
		Descriptors() (*probe.Descriptors, error)
		Resources() (probe.Resources, error)
		Limit() (uint64, error)
	}
	store interface {
		Append(watched.Sample) error
		Finish(watched.End) error
	}
	view  *progress.Lines
	title string
	every time.Duration

	samples []watched.Sample
	kinds   *watched.Kinds // the latest classification
	next    time.Time      // time of the next classification
}

// kindsPause is the ratio of the time between two classifications to the time of one,
// which therefore use 0.6 % of a core.
const kindsPause = 160

// watch samples until the context is done, the duration is over (zero means no end) or
// the process has ended.
func (w *watcher) watch(ctx context.Context, duration time.Duration) error {
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	var over <-chan time.Time
	if duration > 0 {
		timer := time.NewTimer(duration)
		defer timer.Stop()
		over = timer.C
	}
	start := time.Now()
	for {
		now := time.Now()
		err := w.sample(now, now.Sub(start))
		if errors.Is(err, probe.ErrExited) {
			return w.store.Finish(watched.EndExited)
		}
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-over:
			return w.store.Finish(watched.EndTime)
		case <-ctx.Done():
			return w.store.Finish(watched.EndInterrupted)
		}
	}
}

// sample takes a sample, stores it and shows it.
func (w *watcher) sample(now time.Time, at time.Duration) error {
	l := watched.Sample{At: at}
	var err error
	if l.Descriptors, err = w.process.Count(); err != nil {
		return err
	}
	if l.Limit, err = w.process.Limit(); err != nil {
		return err
	}
	r, err := w.process.Resources()
	if err != nil {
		return err
	}
	l.Threads, l.RSS = r.Threads, r.RSS
	if !now.Before(w.next) {
		d, err := w.process.Descriptors()
		if err != nil {
			return err
		}
		l.Descriptors, l.Kinds = d.Total, kindsOf(d)
		w.kinds = l.Kinds
		w.next = now.Add(kindsPause * d.Cost)
	}
	if err := w.store.Append(l); err != nil {
		return err
	}
	w.samples = append(w.samples, l)
	w.view.Show(w.lines(), w.line())
	return nil
}

// maxGroups is the greatest number of groups of connections in a sample: a client of
// thousands of servers has thousands of them.
const maxGroups = 40

// kindsOf converts the kinds into those of a record.
func kindsOf(d *probe.Descriptors) *watched.Kinds {
	k := &watched.Kinds{
		Files: d.Files, Pipes: d.Pipes, Runtime: d.Runtime.Total(), Unix: d.Unix, UDP: d.UDP, Sockets: d.Sockets, Other: d.Other,
		Listening: len(d.Listening), InProgress: d.InProgress(), Accepted: d.Accepted(), Traffic: d.Traffic,
	}
	for i, c := range d.Connections {
		if i >= maxGroups {
			k.Unlisted += c.Count
			continue
		}
		k.Connections = append(k.Connections, watched.Connections{
			Accepted: c.Accepted, Endpoint: c.Endpoint.String(), State: c.State.String(), Count: c.Count, Idle: c.Idle,
		})
	}
	return k
}

// maxShown is the greatest number of groups of connections that are shown.
const maxShown = 8

// lines returns the live view.
func (w *watcher) lines() []string {
	l := w.samples[len(w.samples)-1]
	lines := []string{
		w.title + ", " + text.InWords(l.At),
		fmt.Sprintf("descriptors  %s of %s%s", text.Count(l.Descriptors), text.Count(l.Limit), w.growth()),
		fmt.Sprintf("process      %s, %s", text.Plural(l.Threads, "thread", "threads"), text.Mebibytes(l.RSS)),
		fmt.Sprintf("connections  %d accepted, at most %d in progress", w.kinds.Accepted, w.kinds.InProgress),
		fmt.Sprintf("others       %s, %s, %d epoll and eventfd, %d listening, %d Unix, %d UDP, %d without a connection",
			text.Plural(w.kinds.Files, "file", "files"), text.Plural(w.kinds.Pipes, "pipe", "pipes"), w.kinds.Runtime, w.kinds.Listening,
			w.kinds.Unix, w.kinds.UDP, w.kinds.Sockets),
	}
	for i, c := range w.kinds.Connections {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("  … %d more groups", len(w.kinds.Connections)-maxShown))
			break
		}
		lines = append(lines, "  "+group(c))
	}
	return lines
}

// line returns the live view for output without redrawing.
func (w *watcher) line() string {
	l := w.samples[len(w.samples)-1]
	parts := []string{
		text.InWords(l.At), fmt.Sprintf("%s descriptors of %s%s", text.Count(l.Descriptors), text.Count(l.Limit), w.growth()),
		text.Plural(l.Threads, "thread", "threads"), text.Mebibytes(l.RSS), fmt.Sprintf("%d accepted, at most %d in progress", w.kinds.Accepted, w.kinds.InProgress),
	}
	if len(w.kinds.Connections) > 0 {
		parts = append(parts, group(w.kinds.Connections[0]))
	}
	return strings.Join(parts, "; ")
}

// growth describes the growth of the descriptors so far.
func (w *watcher) growth() string {
	perMinute, ok := watched.PerMinute(w.samples)
	if !ok {
		return ""
	}
	return strings.Replace(fmt.Sprintf(", %+.1f a minute so far", perMinute), "-", "−", 1)
}

// group describes a group of connections: "10 ESTABLISHED to 127.0.0.1:27017, 8 idle".
func group(c watched.Connections) string {
	words := fmt.Sprintf("%s %s %s", text.Count(c.Count), c.State, direction(c)+c.Endpoint)
	switch c.Idle {
	case 0:
		return words
	case c.Count:
		return words + ", idle"
	}
	return words + fmt.Sprintf(", %s idle", text.Count(c.Idle))
}

func direction(c watched.Connections) string {
	if c.Accepted {
		return "accepted on "
	}
	return "to "
}
