package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/cli/command"
	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/scenarios"
)

// traceFlag is --traces: where the traces of a run go beside its record.
type traceFlag struct {
	to    string // the value of the flag
	file  *os.File
	wrote bool
	push  string // the path of the program that sends traces to a URL; empty means a file
}

func (f *traceFlag) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.to, "traces", "", "new `file` of traces, or the URL of OTLP")
}

// requested reports whether the flag is set.
func (f *traceFlag) requested() bool { return f.to != "" }

// open returns an error, before anything runs, if the scenarios cannot be traced or the traces
// cannot be written. Close ends it.
func (f *traceFlag) open(cmd *cobra.Command, all []*scenarios.Scenario, env string) error {
	if !cmd.Flags().Changed("traces") {
		return nil
	}
	if f.to == "" {
		return command.Usage(errors.New("--traces names no file (want a file, or a URL like http://127.0.0.1:4318)"))
	}
	for _, s := range all {
		if err := traceable(s, env); err != nil {
			return command.Usage(err)
		}
	}
	if scheme, _, isURL := strings.Cut(f.to, "://"); isURL {
		return f.openURL(scheme)
	}
	file, err := os.OpenFile(f.to, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if errors.Is(err, os.ErrExist) {
		return command.Usage(fmt.Errorf("--traces: %s exists; name a new file", f.to))
	}
	if err != nil {
		return command.Usage(fmt.Errorf("--traces: %w", err))
	}
	f.file = file
	return nil
}

// traceable returns an error if the items or requests of a scenario cannot be traced in an
// environment of a kind.
func traceable(s *scenarios.Scenario, env string) error {
	switch {
	case env == environment.Kubernetes:
		return errors.New("--traces is not possible in pods, whose clocks differ from that of this machine; run the scenario in another environment")
	case s.SUT.OwnProgram() && !s.IsHTTPService():
		return fmt.Errorf("--traces: the program of scenario %s speaks the protocol, which has no times of single items; "+
			"trace it as an HTTP service (sut.ready), whose requests continue the traces, or have it send traces of its own", s.Name)
	}
	return nil
}

// openURL finds the program that sends traces to a receiver. Errors do not quote the URL,
// which may contain a secret.
func (f *traceFlag) openURL(scheme string) error {
	u, err := url.Parse(f.to)
	if scheme != "http" && scheme != "https" {
		return command.Usage(fmt.Errorf("--traces: unknown scheme %q (want a file, or a URL like http://127.0.0.1:4318)", scheme))
	}
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return command.Usage(errors.New("--traces: want a URL like http://127.0.0.1:4318, without user, query and fragment"))
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return command.Usage(fmt.Errorf("--traces: %[1]s is not this machine; write a file, and send it with: floodgate push --otlp %[2]s --allow-target %[1]s --traces FILE",
			u.Hostname(), u))
	}
	sender := pushPlugin
	sender.need = "--traces with a URL needs"
	if f.push, err = sender.find(); err != nil {
		return command.Usage(err)
	}
	return nil
}

// tracing returns the traces of the trials of a run; nil means that there are none.
func (f *traceFlag) tracing(store *results.Store, header results.Header) *experiment.Tracing {
	if !header.Traces {
		return nil
	}
	return &experiment.Tracing{Save: func(name string, content []byte) error {
		if err := results.SaveTraces(store.Dir(), name, content); err != nil {
			return err
		}
		if f.file == nil {
			return nil
		}
		f.wrote = true
		if _, err := f.file.Write(content); err != nil {
			return err
		}
		return f.file.Sync()
	}}
}

// finish sends the traces of a run to the receiver, if there is one. The run does not depend
// on what becomes of them.
func (f *traceFlag) finish(ctx context.Context, stderr io.Writer, dir string) {
	if f.push == "" {
		return
	}
	cmd := exec.CommandContext(ctx, f.push, "--otlp", f.to, "--traces", filepath.Join(dir, results.TraceDir))
	cmd.Stdout, cmd.Stderr = stderr, stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(stderr, "floodgate: warning: send traces:", err)
	}
}

// close closes the file, and removes it if it is empty.
func (f *traceFlag) close() {
	if f.file == nil {
		return
	}
	_ = f.file.Close() // everything was synced
	if !f.wrote {
		_ = os.Remove(f.to)
	}
}
