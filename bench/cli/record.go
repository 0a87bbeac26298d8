package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/cli/command"
	"floodgate/bench/environment/target"
	"floodgate/mockupstream/learn"
	"floodgate/results/atomicfile"
)

const (
	// saveEvery is the time between two saves of the profile, and the most that a killed
	// recorder loses. After a slow save it is longer, so that fitting uses at most a
	// twentieth of a core.
	saveEvery = 10 * time.Second
	// shutdownTime bounds the wait for requests in progress when the recording ends.
	shutdownTime = 3 * time.Second
)

// recordOptions are the flags of "upstream" for --record.
type recordOptions struct {
	url, addr, out, format string
	allowed                []string
	lasts                  time.Duration
}

func (o *recordOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.url, "record", "", "`URL` of a real upstream to forward to and learn from")
	flags.StringArrayVar(&o.allowed, "allow-target", nil, "`host` beyond loopback that may be recorded (repeatable)")
	flags.StringVar(&o.out, "out", "", "new `file` for the learned profile")
	flags.DurationVar(&o.lasts, "for", 0, "`duration` of the recording (default until interrupted)")
	command.LearnedFormats.Flag(flags, &o.format)
	for _, served := range []string{"profile", "seed", "control"} {
		cmd.MarkFlagsMutuallyExclusive("record", served)
	}
}

// check refuses contradictory flags and an output that cannot be written.
func (o *recordOptions) check(flags *pflag.FlagSet) error {
	if !flags.Changed("record") {
		for _, name := range []string{"allow-target", "out", "for", "format"} {
			if flags.Changed(name) {
				return fmt.Errorf("--%s requires --record URL", name)
			}
		}
		return nil
	}
	switch {
	case o.url == "":
		return errors.New("--record requires the URL of an upstream, such as https://api.example.com")
	case o.out == "":
		return errors.New("--record requires --out FILE, where the learned profile goes")
	case flags.Changed("for") && o.lasts <= 0:
		return fmt.Errorf("--for must be more than 0s (got %v)", o.lasts)
	}
	if err := command.LearnedFormats.Check(o.format); err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Dir(o.out)); err != nil || !info.IsDir() {
		return fmt.Errorf("--out %s: the folder %s does not exist", o.out, filepath.Dir(o.out))
	}
	if err := o.unused(); err != nil {
		return err
	}
	return command.CheckRoot(filepath.Dir(o.out))
}

// unused returns an error if the output exists.
func (o *recordOptions) unused() error {
	switch _, err := os.Lstat(o.out); {
	case err == nil:
		return fmt.Errorf("--out %s exists and is not overwritten; name another file, or remove it", o.out)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// run records until ctx is done or the time is over, and prints the learned profile.
func (o *recordOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	upstream, err := target.ParseUpstream(o.url)
	if err != nil {
		return command.Usage(fmt.Errorf("--record: %w", err))
	}
	base, err := url.Parse(upstream.URL())
	if err != nil {
		return command.Usage(errors.New("--record: the URL is malformed")) // without the error, which may contain a password
	}
	policy := target.Policy{Allowed: o.allowed}
	if err := policy.Validate(); err != nil {
		return command.Usage(err)
	}
	addrs, err := upstream.Addrs(ctx, policy)
	switch {
	case errors.As(err, new(*target.RefusedError)):
		return command.Usage(fmt.Errorf("--record: %w", err))
	case err != nil:
		return command.NotMeasured(fmt.Errorf("--record: %w", err))
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return command.NotMeasured(withAdvice(fmt.Errorf("serve the recorder: %w", err)))
	}
	if own, err := netip.ParseAddrPort(listener.Addr().String()); err == nil && slices.Contains(addrs, own) {
		listener.Close()
		return command.Usage(fmt.Errorf("--record %s is the address of the recorder itself; choose another --addr", upstream.Redacted()))
	}
	scrubber := target.NewScrubber(upstream.Secrets())
	var once sync.Once
	proxy := learn.NewProxy(learn.ProxyOptions{Target: base, DialContext: policy.DialContext, Unreachable: func(err error) {
		once.Do(func() {
			fmt.Fprintf(stderr, "%s cannot be reached: %v\n", upstream.Host(), scrubber.Error(err))
		})
	}})
	defer proxy.Close()
	r := recorder{options: o, proxy: proxy, target: base.Scheme + "://" + upstream.Host(), began: time.Now(), stderr: stderr}
	fmt.Fprintf(stderr, "recorder of %s on http://%s; Ctrl-C ends it and writes %s\n", r.target, listener.Addr(), o.out)
	if err := r.serve(ctx, listener); err != nil {
		return command.NotMeasured(err)
	}
	learned, err := r.finish()
	if err != nil {
		return command.NotMeasured(err)
	}
	return command.LearnedFormats.Print(stdout, o.format, learned)
}

// recorder is a recording in progress.
type recorder struct {
	options *recordOptions
	proxy   *learn.Proxy
	target  string
	began   time.Time
	stderr  io.Writer
	saved   bool // the file is ours
}

// serve serves the proxy and saves the profile periodically, until ctx is done or the
// time is over.
func (r *recorder) serve(ctx context.Context, listener net.Listener) error {
	if r.options.lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.options.lasts)
		defer cancel()
	}
	server := &http.Server{Handler: r.proxy, ReadHeaderTimeout: 30 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	next := time.NewTimer(saveEvery)
	defer next.Stop()
	for {
		select {
		case err := <-failed:
			return fmt.Errorf("serve the recorder: %w", err)
		case <-next.C:
			began := time.Now()
			if err := r.save(); err != nil {
				fmt.Fprintln(r.stderr, "floodgate: profile not saved:", err)
			}
			next.Reset(max(saveEvery, 20*time.Since(began)))
		case <-ctx.Done():
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
			defer cancel()
			if server.Shutdown(grace) != nil {
				_ = server.Close() // the error is that of an aborted connection
			}
			if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve the recorder: %w", err)
			}
			return nil
		}
	}
}

// save writes the profile of the requests so far, if there are enough.
func (r *recorder) save() error {
	recording := r.proxy.Recording()
	fitted, err := learn.Fit(recording)
	if errors.As(err, new(*learn.TooFewError)) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.write(fitted, learn.OriginOf(recording, r.target, r.began))
}

func (r *recorder) write(fitted *learn.Fitted, origin learn.Origin) error {
	text, err := fitted.YAML(origin)
	if err != nil {
		return err
	}
	if !r.saved {
		if err := r.options.unused(); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(r.options.out, text); err != nil {
		return fmt.Errorf("write %s: %w", r.options.out, err)
	}
	r.saved = true
	return nil
}

// finish writes the profile, and compares the mock with the recording.
func (r *recorder) finish() (*learn.Learned, error) {
	recording := r.proxy.Recording()
	fitted, err := learn.Fit(recording)
	if err != nil {
		return nil, fmt.Errorf("no profile written: %w", err)
	}
	origin := learn.OriginOf(recording, r.target, r.began)
	if err := r.write(fitted, origin); err != nil {
		return nil, err
	}
	fidelity, err := learn.Compare(recording, fitted.Profile)
	if err != nil {
		return nil, err
	}
	return &learn.Learned{Origin: origin, File: r.options.out, Fitted: fitted, Fidelity: fidelity}, nil
}
