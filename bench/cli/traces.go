package cli

import (
	"errors"
	"fmt"
	"os"
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
	last  []byte // the traces of the last attempt at a trial
}

func (f *traceFlag) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.to, "traces", "", "new `file` of traces, as lines of OTLP's JSON")
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
		return command.Usage(errors.New("--traces names no file"))
	}
	for _, s := range all {
		if err := traceable(s, env); err != nil {
			return command.Usage(err)
		}
	}
	if strings.Contains(f.to, "://") {
		return command.Usage(errors.New("--traces: want a file, not a URL; OpenTelemetry's Collector reads the file with its receiver otlp_json_file"))
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

// tracing returns the traces of the trials of a run in a folder; nil means that there are none.
func (f *traceFlag) tracing(dir string, header results.Header) *experiment.Tracing {
	if !header.Traces {
		return nil
	}
	return &experiment.Tracing{Save: func(name string, content []byte) error {
		f.last = content
		return results.SaveTraces(dir, name, content)
	}}
}

// before returns a function that writes the traces of a trial to the file before it stores the
// trial, so that the file has none of attempts that were repeated.
func (f *traceFlag) before(store func(results.Trial) error) func(results.Trial) error {
	if f.file == nil {
		return store
	}
	return func(t results.Trial) error {
		if t.Traces != nil && t.Traces.File != "" {
			f.wrote = true
			_, err := f.file.Write(f.last)
			if err = errors.Join(err, f.file.Sync()); err != nil {
				return fmt.Errorf("--traces: %w", err)
			}
		}
		return store(t)
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
