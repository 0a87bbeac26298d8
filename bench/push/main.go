// Command floodgate-push runs a command and pushes the metrics of every "floodgate run" in
// it to receivers, by OTLP over HTTP and by Prometheus remote write:
//
//	floodgate push --otlp http://127.0.0.1:4318 -- floodgate run report --quick
//
// The run does not depend on it: receivers that are dead or slow, and even its own end,
// change nothing in the run. It is a program and a module of its own so that floodgate
// compiles without the libraries of OpenTelemetry's metrics; "floodgate push" finds it
// beside itself or on PATH.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/environment/target"
)

// Exit codes of floodgate-push itself. That of a command passes through.
const (
	exitMisused     = 2
	exitUndelivered = 4
)

func main() { os.Exit(execute(os.Args[1:], os.Stderr)) }

// execute runs the command line and returns the exit code.
func execute(args []string, stderr io.Writer) int {
	o := options{stderr: stderr}
	cmd := newCommand(&o)
	cmd.SetArgs(args)
	cmd.SetOut(os.Stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(context.Background()); err != nil {
		o.note(err.Error())
		return exitMisused
	}
	return o.exit
}

// options are the flags of the command line.
type options struct {
	otlp, remoteWrite               string
	otlpHeaders, remoteWriteHeaders []string
	labels, allowed                 []string
	scrape                          string
	interval, within                time.Duration
	stderr                          io.Writer
	exit                            int
}

func (o *options) note(text string) { fmt.Fprintln(o.stderr, "floodgate push:", text) }

func newCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "push [flags] -- COMMAND…",
		Short: "Push the metrics of a run to OTLP or Prometheus receivers",
		Example: `  floodgate push --otlp http://127.0.0.1:4318 -- floodgate run report --quick
  floodgate push --remote-write http://127.0.0.1:9090 -- make nightly
  floodgate push --otlp http://127.0.0.1:4318 --scrape 9100`,
		Long: `Runs a command and pushes the metrics of every "floodgate run" in it, with their
final values. The exit code is that of the command. With --scrape, it pushes the
metrics of a run that was started with --metrics, until that run ends; the exit
code is 4 if some could not be delivered.

What a receiver does not accept is tried again until --flush after the end of
the run. The run does not wait for receivers. A URL without a path means
/v1/metrics of OTLP, and /api/v1/write of Prometheus. Only receivers on this
machine are allowed, and those that --allow-target names.

To send a secret, name an environment variable with the value of the header:
  --otlp-header-env Authorization=OTLP_AUTHORIZATION`,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, command []string) error {
			return o.run(cmd.Context(), command)
		},
	}
	cmd.SetHelpTemplate("{{.Example}}\n\n{{.Long}}\n\n{{.UsageString}}")
	cmd.SetUsageTemplate("Usage: floodgate {{.Use}}\n\nFlags:\n{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}\n")
	cmd.CompletionOptions.DisableDefaultCmd = true
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	flags.SortFlags = false
	flags.StringVar(&o.otlp, "otlp", "", "`URL` of a receiver of OTLP over HTTP")
	flags.StringVar(&o.remoteWrite, "remote-write", "", "`URL` of a receiver of Prometheus remote write")
	flags.StringArrayVar(&o.otlpHeaders, "otlp-header-env", nil, "`HEADER=VARIABLE` to send (repeatable)")
	flags.StringArrayVar(&o.remoteWriteHeaders, "remote-write-header-env", nil, "`HEADER=VARIABLE` to send (repeatable)")
	flags.StringArrayVar(&o.labels, "label", nil, "`NAME=VALUE` for series that lack it (repeatable)")
	flags.StringVar(&o.scrape, "scrape", "", "`port` or URL of --metrics of a run, in place of COMMAND")
	flags.DurationVar(&o.interval, "interval", 5*time.Second, "`time` between scrapes")
	flags.DurationVar(&o.within, "flush", 30*time.Second, "`time` for the delivery after the end")
	flags.StringArrayVar(&o.allowed, "allow-target", nil, "`host` beyond this machine that may receive metrics (repeatable)")
	return cmd
}

// run checks the flags and pushes. The error is that of a mistake in them.
func (o *options) run(ctx context.Context, command []string) error {
	switch {
	case o.otlp == "" && o.remoteWrite == "":
		return errors.New("name a receiver with --otlp URL or --remote-write URL")
	case o.scrape == "" && len(command) == 0:
		return errors.New("name the command to run, or --scrape and the address of a running one: floodgate push --otlp URL -- floodgate run")
	case o.scrape != "" && len(command) > 0:
		return errors.New("--scrape and a command are mutually exclusive")
	case o.interval < 100*time.Millisecond:
		return fmt.Errorf("--interval must be at least 100ms (got %v)", o.interval)
	case o.within <= 0:
		return fmt.Errorf("--flush must be positive (got %v)", o.within)
	case o.otlp == "" && len(o.otlpHeaders) > 0:
		return errors.New("--otlp-header-env needs --otlp")
	case o.remoteWrite == "" && len(o.remoteWriteHeaders) > 0:
		return errors.New("--remote-write-header-env needs --remote-write")
	}
	policy := target.Policy{Allowed: o.allowed}
	if err := policy.Validate(); err != nil {
		return err
	}
	labels, err := parseLabels(o.labels)
	if err != nil {
		return err
	}
	var receivers []*receiver
	for _, r := range []struct {
		flag, url string
		headers   []string
		open      func(context.Context, *receiver, map[string]string) error
		path      string
	}{
		{"--otlp", o.otlp, o.otlpHeaders, openOTLP, "/v1/metrics"},
		{"--remote-write", o.remoteWrite, o.remoteWriteHeaders, openRemoteWrite, "/api/v1/write"},
	} {
		if r.url == "" {
			continue
		}
		opened, err := newReceiver(ctx, r.url, r.path, r.headers, policy)
		if err == nil {
			err = r.open(ctx, opened, labels)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.flag, err)
		}
		receivers = append(receivers, opened)
	}
	defer func() {
		for _, r := range receivers {
			r.close()
		}
	}()
	if o.scrape != "" {
		return o.pushRunning(ctx, receivers)
	}
	return o.pushCommand(ctx, command, receivers)
}

// parseLabels returns the labels of all series: job, instance and those of --label.
func parseLabels(flags []string) (map[string]string, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	labels := map[string]string{"job": "floodgate", "instance": host}
	for _, flag := range flags {
		name, value, ok := strings.Cut(flag, "=")
		if !ok || value == "" || !validLabel(name) {
			return nil, fmt.Errorf("--label %q: want NAME=VALUE, with a name of letters, digits and underscores that does not begin with a digit or two underscores", flag)
		}
		labels[name] = value
	}
	return labels, nil
}

func validLabel(name string) bool {
	letter := func(r rune) bool { return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	for i, r := range name {
		if !letter(r) && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != "" && !strings.HasPrefix(name, "__")
}

// sortedNames returns the names of labels in order.
func sortedNames(labels map[string]string) []string {
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
