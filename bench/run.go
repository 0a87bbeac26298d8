package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/scenarios"
)

// defaultRoot is where runs are stored, below the working folder.
const defaultRoot = "results/runs"

// runOptions are the flags of "run".
type runOptions struct {
	quick, quiet, keepData bool
	resume, root           string
	stdout, stderr         io.Writer
}

func newRun(stdout, stderr io.Writer) *cobra.Command {
	o := runOptions{stdout: stdout, stderr: stderr}
	cmd := &cobra.Command{
		Use:   "run [SCENARIO…]",
		Short: "Run scenarios, judge their claims and store the run",
		Long: `Runs each scenario (a built-in name or a YAML file; default: report) on an
embedded upstream and database, prints a table and the judged claims, and stores
the run. The exit code is that of the worst verdict.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if o.resume != "" {
				if len(names) > 0 || o.quick {
					return exit(exitUsage, errors.New("--resume goes on with the scenario of the run: name no scenario and no --quick"))
				}
				code, err := o.resumeRun(cmd.Context())
				return exit(code, err)
			}
			return o.runAll(cmd.Context(), names)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.quick, "quick", false, "the scenario's quick version")
	flags.BoolVar(&o.quiet, "quiet", false, "no progress")
	flags.BoolVar(&o.keepData, "keep-data", false, "keep the embedded database's folder in the run's folder")
	flags.StringVar(&o.resume, "resume", "", "go on with the interrupted run `ID`")
	flags.StringVar(&o.root, "out", defaultRoot, "`folder` that runs are stored in")
	return cmd
}

// runAll runs the scenarios one after another. All are loaded before the first runs.
func (o runOptions) runAll(ctx context.Context, names []string) error {
	all, err := loadScenarios(names, o.quick)
	if err != nil {
		return err
	}
	worst := exitHeld
	for i, s := range all {
		if i > 0 {
			fmt.Fprintln(o.stdout)
		}
		code, err := o.newRun(ctx, s)
		if err != nil {
			return exit(code, err)
		}
		worst = worse(worst, code)
	}
	return exit(worst, nil)
}

// worse orders exit codes by what they say of a run: what failed is worse
// than what could not be measured, and that is worse than what was not decided.
func worse(a, b int) int {
	rank := map[int]int{exitHeld: 0, exitInconclusive: 1, exitUnmeasured: 2, exitFailed: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// newRun runs one scenario from its begin.
func (o runOptions) newRun(ctx context.Context, s *scenarios.Scenario) (int, error) {
	id := results.NewID(time.Now())
	env, err := o.startEnvironment(ctx, id, s)
	if err != nil {
		return exitUnmeasured, err
	}
	defer env.Close()
	header, err := experiment.Header(s, o.quick, env.Describe(), time.Now())
	if err != nil {
		return exitUsage, err
	}
	header.ID = id
	header.Fingerprint = results.TakeFingerprint(ctx)
	store, err := results.Create(o.root, header)
	if err != nil {
		return exitUnmeasured, err
	}
	return o.execute(ctx, s, store, nil, env)
}

// resumeRun goes on with an interrupted run.
func (o runOptions) resumeRun(ctx context.Context) (int, error) {
	s, err := o.storedScenario()
	if err != nil {
		return exitUsage, err
	}
	hash, err := results.ScenarioHash(s)
	if err != nil {
		return exitUsage, err
	}
	store, begun, err := results.Resume(o.root, o.resume, hash)
	if err != nil {
		return exitUsage, err
	}
	if err := sameMachine(begun.Header.Fingerprint, results.TakeFingerprint(ctx)); err != nil {
		store.Close()
		return exitUsage, err
	}
	env, err := o.startEnvironment(ctx, o.resume, s)
	if err != nil {
		store.Close()
		return exitUnmeasured, err
	}
	defer env.Close()
	return o.execute(ctx, s, store, begun.Trials, env)
}

// storedScenario is the scenario of the run to resume.
func (o runOptions) storedScenario() (*scenarios.Scenario, error) {
	stored, err := results.Open(filepath.Join(o.root, o.resume))
	if err != nil {
		return nil, err
	}
	var s scenarios.Scenario
	if err := json.Unmarshal(stored.Header.Scenario, &s); err != nil {
		return nil, fmt.Errorf("scenario of run %s: %w", o.resume, err)
	}
	return &s, nil
}

// sameMachine refuses to mix trials of two machines or builds in one run.
func sameMachine(begun, now results.Fingerprint) error {
	if begun != now {
		return fmt.Errorf("the run began on another machine or build, its trials cannot be mixed with new ones:\n  then %+v\n  now  %+v", begun, now)
	}
	return nil
}

func (o runOptions) startEnvironment(ctx context.Context, id string, s *scenarios.Scenario) (*environment.Environment, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	if command := s.SUT.Command; len(command) > 0 {
		if _, err := exec.LookPath(command[0]); err != nil {
			return nil, fmt.Errorf("sut.command: %w", err)
		}
	}
	latency, err := experiment.UsesDatabaseLatency(s)
	if err != nil {
		return nil, err
	}
	if !o.quiet {
		fmt.Fprintf(o.stderr, "%s: %s\nstarting the embedded upstream and database\n", s.Name, s.Title)
	}
	return environment.Start(ctx, environment.Options{
		Executable: executable, LogDir: filepath.Join(o.root, id, "logs"),
		KeepData: o.keepData, DatabaseLatency: latency,
	})
}

// execute runs what is left of a run, then judges and prints it.
func (o runOptions) execute(ctx context.Context, s *scenarios.Scenario, store *results.Store, done []results.Trial, env *environment.Environment) (int, error) {
	defer store.Close()
	executable, err := os.Executable()
	if err != nil {
		return exitUnmeasured, err
	}
	err = experiment.Run(ctx, experiment.Options{
		Store: store, Done: done, Scenario: s, Progress: newProgress(o.stderr, o.quiet),
		Trials: experiment.NewTrials(env, executable, store.ID()),
	})
	if err != nil {
		resume := "run --resume " + store.ID()
		if o.root != defaultRoot {
			resume += " --out " + o.root
		}
		return exitUnmeasured, fmt.Errorf("%w\nwhat was measured is stored in %s; go on with: floodgate %s", err, store.Dir(), resume)
	}
	if err := env.Close(); err != nil {
		fmt.Fprintln(o.stderr, "floodgate: clean up:", err)
	}
	stored, err := results.Open(store.Dir())
	if err != nil {
		return exitUnmeasured, err
	}
	return o.print(stored)
}

func (o runOptions) print(stored *results.Run) (int, error) {
	verdict, err := gate.Judge(stored)
	if err != nil {
		return exitUnmeasured, err
	}
	return verdict.Exit, printTerminal(o.stdout, stored, verdict)
}
