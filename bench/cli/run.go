package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/cli/command"
	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/metrics"
	"floodgate/bench/metrics/handoff"
	"floodgate/bench/progress"
	"floodgate/bench/sut"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/revision"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// runOptions are the flags of "run".
type runOptions struct {
	command.Notes
	subset         command.SubsetFlags
	resume, root   string
	shardFlag      string
	shard          scenarios.Shard // zero means all hosts
	environment    command.EnvironmentFlags
	profile        command.ProfileFlag
	traces         traceFlag
	saveVegeta     string
	format, idFile string
	file           string                     // the scenario's file; empty means that it is built in or unknown
	save           func(*vegeta.Result) error // nil means without --save-vegeta
	metricsAddr    string
	metrics        *metrics.Server // nil means without --metrics
	repeat         repeatFlags
	repeater       *claims.Repeater // nil means that the run does not repeat blocks
	page           webPage
	stdout         io.Writer
}

func newRun(stdout, stderr io.Writer, k command.Kubernetes) *cobra.Command {
	o := runOptions{stdout: stdout, Notes: command.Notes{Stderr: stderr}, environment: command.EnvironmentFlags{Kubernetes: k}}
	cmd := &cobra.Command{
		Use:   "run [SCENARIO…]",
		Short: "Run scenarios, judge their claims and store the run",
		Example: `  floodgate run --quick mine.yaml
  floodgate run --repeat mine.yaml --time 10m`,
		Long: `Runs, judges and stores scenarios; the worst verdict is the exit code. --env:
  auto        containers if they can run here, else embedded: our own processes
  containers  Docker: this program and MongoDB, on ports of 127.0.0.1
  external    your own servers; the part without a URL or URI is embedded
  kubernetes  pods of a cluster, the system under test as well`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if o.resume != "" && len(names) > 0 {
				return command.Usage(errors.New("--resume continues the scenario of the run: leave out SCENARIO"))
			}
			err := o.checkOutput(names)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("shard") {
				if o.shard, err = scenarios.ParseShard(o.shardFlag); err != nil {
					return command.Usage(fmt.Errorf("--shard: %w", err))
				}
			}
			if o.metrics, err = o.serveMetrics(cmd.Context()); err != nil {
				return err
			}
			defer o.closeMetrics()
			if err := o.page.serve(cmd, names, stderr); err != nil {
				return err
			}
			defer o.page.close()
			if o.resume != "" {
				return o.resumeRun(cmd.Context())
			}
			if len(names) == 0 {
				names = []string{command.DefaultScenario}
			}
			return o.runAll(cmd, names)
		},
	}
	flags := cmd.Flags()
	o.environment.Register(flags)
	o.subset.Register(flags)
	o.Flag(flags)
	flags.StringVar(&o.saveVegeta, "save-vegeta", "", "new `file` of a service's results for vegeta")
	o.profile.Register(flags)
	o.traces.register(flags)
	flags.StringVar(&o.metricsAddr, "metrics", "", "loopback `address` of Prometheus metrics")
	o.page.register(cmd)
	flags.StringVar(&o.resume, "resume", "", "continue the interrupted run `ID`")
	flags.StringVar(&o.shardFlag, "shard", "", "run only shard `I/N` of a fleet; see merge")
	flags.StringVar(&o.root, "out", command.DefaultRoot, "`folder` of stored runs")
	command.RunFormats.Flag(flags, &o.format)
	flags.Lookup("format").Usage = "output `format`: see report"
	flags.StringVar(&o.idFile, "id-file", "", "`file` for the run's ID, written at once")
	o.repeat.register(cmd)
	for _, name := range o.subset.Names() {
		cmd.MarkFlagsMutuallyExclusive("resume", name)
	}
	cmd.MarkFlagsMutuallyExclusive("resume", "save-vegeta")
	cmd.MarkFlagsMutuallyExclusive("resume", "profile") // which the run has or has not
	cmd.MarkFlagsMutuallyExclusive("resume", "traces")
	cmd.MarkFlagsMutuallyExclusive("resume", "shard")
	return cmd
}

// checkOutput returns an error, before anything runs, if the output could not be
// written at the end.
func (o *runOptions) checkOutput(names []string) error {
	if err := command.RunFormats.Check(o.format); err != nil {
		return err
	}
	if len(names) > 1 && (o.format != command.FormatText || o.idFile != "") {
		return command.Usage(fmt.Errorf("--format %s and --id-file need exactly one scenario (got %d)", o.format, len(names)))
	}
	return checkIDFile(o.idFile)
}

// checkIDFile returns an error if the file of --id-file could not be written.
func checkIDFile(file string) error {
	if file == "" {
		return nil
	}
	probe, err := os.CreateTemp(filepath.Dir(file), ".floodgate-")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if info, statErr := os.Stat(file); err == nil && statErr == nil && info.IsDir() {
		err = errors.New("is a folder")
	}
	if err != nil {
		return command.Usage(fmt.Errorf("--id-file %s cannot be written: %w", file, err))
	}
	return nil
}

// writeID writes the ID of a run to the file of --id-file, if it is set.
func writeID(file, id string) error {
	if file == "" {
		return nil
	}
	return command.WriteTo(file, nil, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, id)
		return err
	})
}

// runAll runs the scenarios sequentially. It loads all of them first.
func (o *runOptions) runAll(cmd *cobra.Command, names []string) error {
	all, err := o.subset.Load(cmd, names, os.LookupEnv, o.Note)
	if err != nil {
		return err
	}
	if err := o.repeat.prepareAll(cmd, all); err != nil {
		return err
	}
	if o.environment.Kind == environment.Kubernetes {
		if err := command.CheckPods(all, names); err != nil {
			return err
		}
	}
	for _, s := range all {
		if _, err := o.profile.Of(s, o.environment.Kind, o.shard.Of > 0); err != nil {
			return err
		}
	}
	if err := o.traces.open(cmd, all, o.environment.Kind); err != nil {
		return err
	}
	defer o.traces.close()
	if o.shard.Of > 0 {
		for i, s := range all {
			if all[i], err = s.OnHosts(o.shard.Of); err != nil {
				return command.Usage(fmt.Errorf("--shard %s: %w", o.shard.Flag(), err))
			}
		}
	}
	if o.saveVegeta != "" {
		if len(all) != 1 || all[0].Service == nil {
			return command.Usage(errors.New("--save-vegeta needs exactly one scenario, which must be a service"))
		}
		file, err := os.OpenFile(o.saveVegeta, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return command.Usage(fmt.Errorf("--save-vegeta: %w", err))
		}
		defer file.Close()
		o.save = vegeta.NewEncoder(file).Encode
	}
	worst := verdict.ExitPassed
	for i, s := range all {
		if i > 0 {
			fmt.Fprintln(o.stdout)
		}
		if o.file = ""; command.IsPath(names[i]) {
			o.file = names[i]
		}
		err := o.newRun(cmd.Context(), s, command.Reproduce(cmd, names[i]))
		if !command.IsVerdict(err) {
			return err
		}
		worst = verdict.WorstExit(worst, command.CodeOf(err))
	}
	return command.Exit(worst, nil)
}

// newRun starts a new run of a scenario.
func (o *runOptions) newRun(ctx context.Context, s *scenarios.Scenario, reproduce command.ReproduceCommand) error {
	id := results.NewID(time.Now())
	if o.shard.Of > 0 { // in the name of the database, too, which the shards may share
		id += fmt.Sprintf("-%dof%d", o.shard.Number, o.shard.Of)
	}
	if err := command.CheckRoot(o.root); err != nil {
		return command.Usage(err)
	}
	if err := o.buildSUT(ctx, s, id); err != nil {
		return command.NotMeasured(err)
	}
	setup, err := o.environment.Prepare(s, o.Note)
	if err != nil {
		_ = os.RemoveAll(filepath.Join(o.root, id)) // it contains only the log of a successful build
		return command.NotMeasured(err)
	}
	defer setup.Close()
	if err := o.divide(setup, s); err != nil {
		return command.NotMeasured(err)
	}
	o.Note(s.Name + ": " + s.Title)
	env, err := setup.Start(ctx, o.root, id, false)
	if err != nil {
		_ = os.RemoveAll(filepath.Join(o.root, id)) // it contains only logs, whose ends are in the error
		return command.NotMeasured(err)
	}
	defer env.Close()
	header, err := experiment.Header(s, o.subset.Quick(), env.Describe(), time.Now())
	if err != nil {
		return command.Usage(err)
	}
	header.ID, header.Command = id, reproduce.In(header.Environment)
	if header.Profiles, err = o.profile.Of(s, header.Environment.Kind, o.shard.Of > 0); err != nil {
		return err
	}
	header.Traces = o.traces.requested()
	if o.shard.Of > 0 {
		header.Shard = &results.Shard{Numbers: []int{o.shard.Number}, Of: o.shard.Of}
	}
	command.Identify(ctx, &header, s)
	header.Fingerprint.Pinning = setup.Pinning.String()
	header.Repeat = o.repeat.design(header.Planned)
	o.repeater = claims.NewRepeater(header, nil)
	store, err := results.Create(o.root, header)
	if err != nil {
		return command.NotMeasured(err)
	}
	return o.execute(ctx, s, store, &results.Run{Header: header}, setup, env)
}

// divide leaves a shard its part of what external servers may get, and says what it is.
func (o *runOptions) divide(setup *command.Setup, s *scenarios.Scenario) error {
	if o.shard.Of == 0 {
		return nil
	}
	o.Note(fmt.Sprintf("%v: the items of one host; floodgate merge joins the shards", o.shard))
	return setup.Divide(s, o.shard)
}

// buildSUT runs sut.build, if it is set, in the folder of the scenario. A resumed run is
// already built.
func (o *runOptions) buildSUT(ctx context.Context, s *scenarios.Scenario, id string) error {
	if len(s.SUT.Build) == 0 {
		return nil
	}
	dir, err := filepath.Abs(filepath.Dir(o.file))
	if err != nil {
		return err
	}
	o.Note(s.Name + ": build: " + strings.Join(s.SUT.Build, " "))
	return sut.Build(ctx, sut.BuildOptions{Command: s.SUT.Build, Dir: dir, Env: revision.Environ(), Log: filepath.Join(o.root, id, "build.log")})
}

// resumeRun continues an interrupted run.
func (o *runOptions) resumeRun(ctx context.Context) error {
	id, err := command.FindID(o.root, o.resume)
	if err != nil {
		return command.Usage(err)
	}
	o.resume = id
	if err := o.environment.CheckPlugin(filepath.Join(o.root, id)); err != nil {
		return err
	}
	s, begun, store, err := o.reopen(ctx)
	if err != nil {
		return command.Usage(err)
	}
	flags, err := o.environment.Resumed(begun.Header.Environment)
	if err != nil {
		store.Close()
		return command.Usage(err)
	}
	setup, err := flags.Prepare(s, o.Note)
	if err != nil {
		store.Close()
		return command.NotMeasured(err)
	}
	defer setup.Close()
	if shard := begun.Header.Shard; shard != nil {
		o.shard = scenarios.Shard{Number: shard.Numbers[0], Of: shard.Of}
	}
	if err := o.divide(setup, s); err != nil {
		store.Close()
		return command.NotMeasured(err)
	}
	setup.Sent(begun.Trials)
	o.Note(s.Name + ": " + s.Title)
	env, err := setup.Start(ctx, o.root, o.resume, true)
	if err != nil {
		store.Close()
		return command.NotMeasured(err)
	}
	defer env.Close()
	if err := mixable(begun.Header.Environment.Setting(), env.Describe().Setting()); err != nil {
		store.Close()
		return command.Usage(err)
	}
	o.repeater = claims.NewRepeater(begun.Header, begun.Trials)
	return o.execute(ctx, s, store, begun, setup, env)
}

// reopen opens the run to resume, which must have started on this machine.
func (o *runOptions) reopen(ctx context.Context) (*scenarios.Scenario, *results.Run, *results.Store, error) {
	s, err := o.storedScenario()
	if err != nil {
		return nil, nil, nil, err
	}
	hash, err := results.ScenarioHash(s)
	if err != nil {
		return nil, nil, nil, err
	}
	store, begun, err := results.Resume(o.root, o.resume, hash)
	if err != nil {
		return nil, nil, nil, err
	}
	now := results.Header{}
	command.Identify(ctx, &now, s)
	if err := o.environment.RecordPinning(&now, s); err != nil {
		store.Close()
		return nil, nil, nil, err
	}
	if err := mixable(begun.Setting(), results.Setting{Fingerprint: now.Fingerprint, SUT: now.SUT, Profiles: begun.Setting().Profiles, Traces: begun.Header.Traces}); err != nil {
		store.Close()
		return nil, nil, nil, err
	}
	return s, begun, store, nil
}

// storedScenario returns the scenario of the run to resume.
func (o *runOptions) storedScenario() (*scenarios.Scenario, error) {
	stored, err := results.Open(filepath.Join(o.root, o.resume))
	if err != nil {
		return nil, err
	}
	if stored.Header.Search {
		return nil, fmt.Errorf("cannot resume %s: it is a plan, not a run", o.resume)
	}
	if stored.Header.Merged != nil {
		return nil, fmt.Errorf("cannot resume %s: it is merged from shards; resume the unfinished ones where they ran, and merge again", o.resume)
	}
	if v, err := claims.Judge(stored); err == nil && v.EndedBy != "" {
		return nil, fmt.Errorf("%s stopped early: threshold %q can no longer be met, so there is nothing to resume; floodgate report shows it", o.resume, v.EndedBy)
	}
	return stored.Scenario()
}

// mixable returns an error if the settings of a run and of its continuation differ, so
// that their trials must not be mixed in one run.
func mixable(begun, now results.Setting) error {
	how := begun.Compare(now).Unmixable()
	if len(how) == 0 {
		return nil
	}
	return fmt.Errorf("the run began on another machine or build, or in another environment, and its trials cannot be mixed with new ones (then and now): %s", strings.Join(how, "; "))
}

// The policy of a run. Repeating an invalid trial costs seconds; losing its block costs
// every claim a pair. Five failures in a row, or three false starts, are not noise.
const (
	runRetries     = 4
	maxFailures    = 5
	maxFalseStarts = 3
)

// execute runs the trials of a run that have not begun, then judges and prints it.
func (o *runOptions) execute(ctx context.Context, s *scenarios.Scenario, store *results.Store, begun *results.Run, u *command.Setup, env *environment.Environment) error {
	defer store.Close()
	if err := writeID(o.idFile, store.ID()); err != nil {
		return command.NotMeasured(err)
	}
	plan, err := experiment.ScheduleShard(s, o.shard)
	if err != nil {
		return command.NotMeasured(err)
	}
	aborter, err := claims.NewAborter(s, begun.Trials)
	if err != nil {
		return command.NotMeasured(err)
	}
	view := progress.New(progress.Options{To: o.Stderr, Quiet: o.Quiet, Service: s.Service != nil})
	shown := o.page.progress(o.progress(view, store.ID(), s.Name), store.ID(), s)
	trials := experiment.NewTrials(env, u.Options.Executable, store.ID())
	trials.Cores = u.Pinning.SUT
	trials.Container, trials.Launcher, trials.SaveVegeta, trials.Live = u.SUT, u.Launcher, o.save, shown.Live
	if kinds := begun.Header.Profiles; kinds != nil {
		trials.Profiling = &experiment.Profiling{Kinds: kinds, Save: func(name string, content []byte) error {
			return results.SaveProfile(store.Dir(), name, content)
		}}
	}
	trials.Tracing = o.traces.tracing(store.Dir(), begun.Header)
	runner := experiment.Runner{
		Tester: trials, Append: o.traces.before(store.Append), Stored: aborter.Add, Progress: shown, TryUpstream: u.UpstreamProbe(env),
		Retries: runRetries, MaxFailures: maxFailures, MaxFalseStarts: maxFalseStarts,
	}
	if o.shard.Of > 0 { // which decides nothing
		runner.Stored = nil
	}
	if o.repeater != nil {
		runner.Stored = endBy(aborter, o.repeater)
	}
	ended, err := o.repeater.Analyze()
	if err == nil && ended == "" {
		err = runner.Run(ctx, plan, begun.Trials)
	}
	view.Close()
	if o.repeater.Ended() && errors.Is(err, experiment.ErrAborted) {
		o.Note(err.Error())
		err = nil
	}
	if err == nil {
		err = store.Finish()
	}
	if errors.Is(err, experiment.ErrAborted) {
		o.Note(err.Error()) // the recorded trials are judged nevertheless
		err = nil
	}
	var unsupported *experiment.UnsupportedError
	if errors.As(err, &unsupported) {
		return command.Usage(err)
	}
	var spent *experiment.BudgetError
	if errors.As(err, &spent) { // the resumed run would have the same bound
		return command.NotMeasured(fmt.Errorf("%w\nthe trials so far are stored in %s", err, store.Dir()))
	}
	if err != nil {
		return command.NotMeasured(fmt.Errorf("%w\nthe trials so far are stored in %s; resume with: %s", err, store.Dir(), command.ResumeCommand(store.Dir(), env.Describe())))
	}
	if err := env.Close(); err != nil {
		fmt.Fprintln(o.Stderr, "floodgate: clean up:", err)
	}
	stored, err := results.Open(store.Dir())
	if err != nil {
		return command.NotMeasured(err)
	}
	end := printRun(o.stdout, stored, o.file, o.format)
	if command.IsVerdict(end) {
		o.page.finish(ctx, o.Stderr, stored, o.file)
	}
	return end
}

// printRun judges and prints a new record. The scenario is in file; empty means that it is
// built in or unknown.
func printRun(stdout io.Writer, stored *results.Run, file, format string) error {
	v, err := claims.Judge(stored)
	if err != nil {
		return command.NotMeasured(err)
	}
	j, err := command.JudgedRun(stored, v, file)
	if err != nil {
		return command.NotMeasured(err)
	}
	return command.Exit(v.Exit, command.RunFormats.Print(stdout, cmp.Or(format, command.FormatText), j))
}

// serveMetrics starts the metrics server; nil means that neither --metrics nor a companion
// asks for it.
func (o *runOptions) serveMetrics(ctx context.Context) (*metrics.Server, error) {
	dir := os.Getenv(handoff.Variable)
	if o.metricsAddr == "" && dir == "" {
		return nil, nil
	}
	addr, err := mockupstream.LoopbackAddress(cmp.Or(o.metricsAddr, "0"))
	if err != nil {
		return nil, command.Usage(fmt.Errorf("--metrics: %w", err))
	}
	server, err := metrics.Serve(ctx, addr)
	if err != nil {
		return nil, command.NotMeasured(fmt.Errorf("--metrics: %w; --metrics 0 picks a free port", err))
	}
	o.Note("metrics: " + server.URL())
	if err := server.Announce(dir); err != nil { // the run does not depend on it
		o.Note(fmt.Sprintf("warning: %s: %v", handoff.Variable, err))
	}
	return server, nil
}

// closeMetrics stops the metrics server, if there is one. The run does not depend on what
// becomes of its final metrics.
func (o *runOptions) closeMetrics() {
	if o.metrics == nil {
		return
	}
	if err := o.metrics.Close(); err != nil {
		o.Note("warning: " + err.Error())
	}
}

// progress returns the receivers of a run's progress: the view and, with
// --metrics, the metrics server.
func (o *runOptions) progress(view experiment.Progress, id, scenario string) experiment.Progress {
	if o.metrics == nil {
		return view
	}
	return both{view, o.metrics.Progress(metrics.Run{ID: id, Scenario: scenario})}
}

// both forwards the progress of a run to two receivers.
type both [2]experiment.Progress

func (b both) Started(planned, done int, left time.Duration) {
	for _, p := range b {
		p.Started(planned, done, left)
	}
}

func (b both) TrialStarted(t experiment.ScheduledTrial, left time.Duration) {
	for _, p := range b {
		p.TrialStarted(t, left)
	}
}

func (b both) TrialEnded(t results.Trial, left time.Duration) {
	for _, p := range b {
		p.TrialEnded(t, left)
	}
}

func (b both) Live(l experiment.Live) {
	for _, p := range b {
		p.Live(l)
	}
}

func (b both) Note(text string) {
	for _, p := range b {
		p.Note(text)
	}
}
