package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"

	"floodgate/bench/environment/scratch"
	"floodgate/bench/metrics/handoff"
)

// scratchPrefix begins the names of the folders of commands.
const scratchPrefix = "floodgate-push-"

// firstInterval is the time between attempts to find the first metrics of a command.
const firstInterval = 100 * time.Millisecond

// deliveries sends the same snapshots to all receivers.
type deliveries struct {
	receivers []*receiver
	all       []*delivery
}

func startDeliveries(ctx context.Context, receivers []*receiver) *deliveries {
	d := &deliveries{receivers: receivers}
	for _, r := range receivers {
		d.all = append(d.all, startDelivery(ctx, r.send))
	}
	return d
}

func (d *deliveries) add(s snapshot) {
	for _, one := range d.all {
		one.add(s)
	}
}

// finish waits for all deliveries, prints what became of them, and reports whether nothing
// was lost.
func (d *deliveries) finish(within time.Duration, note func(string)) bool {
	outcomes := make([]outcome, len(d.all))
	var wg sync.WaitGroup
	for i, one := range d.all {
		wg.Go(func() { outcomes[i] = one.finish(within) })
	}
	wg.Wait()
	complete := true
	for i, o := range outcomes {
		note(fmt.Sprintf("%s: %v", d.receivers[i].url, o))
		complete = complete && o.lost == 0
	}
	return complete
}

// pushCommand runs a command and pushes the metrics of its runs. It sets the exit code to
// that of the command, whatever becomes of the metrics.
func (o *options) pushCommand(ctx context.Context, command []string, receivers []*receiver) error {
	_, _ = scratch.Sweep("", scratchPrefix) // those of killed processes
	folder, err := scratch.New("", scratchPrefix)
	if err != nil {
		return err
	}
	defer func() {
		if err := folder.Remove(); err != nil {
			o.note("clean up: " + err.Error())
		}
	}()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded[:]...)
	defer signal.Stop(signals)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), handoff.Variable+"="+folder.Path())
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the command: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := startDeliveries(ctx, receivers)
	c := newCollector(folder.Path(), out.add)
	timer := time.NewTimer(firstInterval)
	defer timer.Stop()
	var trouble error
	for running := true; running; {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // fails if it has just ended
		case <-timer.C:
			known, err := c.collect(ctx)
			trouble = errors.Join(trouble, err)
			if known {
				timer.Reset(o.interval)
			} else {
				timer.Reset(firstInterval)
			}
		case err := <-ended:
			o.exit = exitCode(cmd.ProcessState)
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				trouble = errors.Join(trouble, err)
			}
			running = false
		}
	}
	go func() { // a signal ends the wait for receivers
		if _, ok := <-signals; ok {
			cancel()
		}
	}()
	defer close(signals)
	defer signal.Stop(signals)
	known, err := c.collect(ctx)
	if trouble = errors.Join(trouble, err); trouble != nil {
		o.note(shorten("warning: " + trouble.Error()))
	}
	if !known {
		o.note("the command served no metrics: only \"floodgate run\" does")
	}
	if n, last := c.unfinished(); n > 0 {
		values := "no values were read"
		if !last.IsZero() {
			values = "the last values are those of " + time.Since(last).Round(time.Millisecond).String() + " ago"
		}
		o.note(fmt.Sprintf("warning: %d of %d runs ended without final values; %s", n, len(c.processes), values))
	}
	out.finish(o.within, o.note)
	return nil
}

// pushRunning pushes the metrics of a run that was started with --metrics, until it ends.
func (o *options) pushRunning(ctx context.Context, receivers []*receiver) error {
	address, err := scrapeURL(o.scrape)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, forwarded[:]...)
	defer stop()
	s := newScraper()
	t := tracker{source: 1}
	first, err := s.get(ctx, address)
	if err != nil {
		o.note(fmt.Sprintf("%v; start the run first: floodgate run --metrics %s", err, o.scrape))
		o.exit = exitUndelivered
		return nil
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	type end struct {
		text []byte
		err  error
	}
	final := make(chan end, 1)
	go func() {
		text, err := s.get(ctx, address+handoff.FinalPath)
		final <- end{text, err}
	}()
	out := startDeliveries(work, receivers)
	add := func(text []byte, last bool) {
		made, err := t.snapshot(text, time.Now(), last)
		if err != nil {
			o.note("warning: " + err.Error())
			return
		}
		out.add(made)
	}
	add(first, false)
	ticker := time.NewTicker(o.interval)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-ticker.C:
			if text, err := s.get(ctx, address); err == nil {
				add(text, false)
			}
		case e := <-final:
			running = false
			switch {
			case e.err == nil:
				add(e.text, true)
			case ctx.Err() != nil: // a signal: the run goes on
				if text, err := s.get(work, address); err == nil {
					add(text, false)
				}
			default:
				o.note("warning: the run ended without final values: " + shorten(e.err.Error()))
				o.exit = exitUndelivered
			}
		}
	}
	stop()
	if !out.finish(o.within, o.note) {
		o.exit = exitUndelivered
	}
	return nil
}

// scrapeURL returns the URL of metrics on this machine.
func scrapeURL(text string) (string, error) {
	wrong := fmt.Errorf("--scrape %q: want a port, host:port or the URL that \"floodgate run --metrics\" prints, on this machine", text)
	if _, err := strconv.ParseUint(text, 10, 16); err == nil {
		text = "127.0.0.1:" + text
	}
	if !strings.Contains(text, "://") {
		text = "http://" + strings.TrimPrefix(text, "http://") + "/metrics"
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Port() == "" || u.Path != "/metrics" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", wrong
	}
	if host := u.Hostname(); host == "" {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", wrong
	}
	return u.String(), nil
}
