package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios"
)

// defaultScenario runs where none is named.
const defaultScenario = "report"

// loadScenario loads a built-in scenario by its name, or a file by its path:
// whatever has a separator or the ending of YAML is a path.
func loadScenario(name string) (*scenarios.Scenario, error) {
	load := scenarios.Builtin
	if isPath(name) {
		load = scenarios.Load
	}
	s, err := load(name)
	return s, notScenario(name, err)
}

// notScenario explains why a name is not that of a scenario: it is a folder, or
// it is wrong, with the scenario that may be meant.
func notScenario(name string, err error) error {
	if err == nil {
		return nil
	}
	if info, statErr := os.Stat(name); statErr != nil || !info.IsDir() {
		return missingScenario(name, err)
	}
	return fmt.Errorf("%s is a folder; allowed: a file in it, such as %s, or a built-in scenario: %s",
		name, filepath.Join(name, "scenario.yaml"), strings.Join(scenarios.BuiltinNames(), ", "))
}

// missingScenario names the built-in scenario or the file that may be meant.
func missingScenario(name string, err error) error {
	builtins := scenarios.BuiltinNames()
	file := nearestFile(name)
	if isPath(name) {
		if errors.Is(err, fs.ErrNotExist) && file == "" {
			stem, _ := cutYAML(filepath.Base(name))
			return fmt.Errorf("scenario file %s does not exist%s", name, didYouMean(stem, builtins))
		}
		return missingFile("scenario file", name, err)
	}
	hint := didYouMean(name, builtins)
	if _, err := os.Stat(name); err == nil {
		hint = fmt.Sprintf(" (did you mean %q?)", "./"+name)
	} else if stem, _ := cutYAML(file); file != "" && (hint == "" || stem == name) {
		hint = fmt.Sprintf(" (did you mean %q?)", file)
	}
	if hint == "" {
		hint = fmt.Sprintf(": name a YAML file, such as %s.yaml, or a built-in scenario: %s", name, strings.Join(builtins, ", "))
	}
	return fmt.Errorf("unknown scenario %q%s", name, hint)
}

func isPath(name string) bool {
	return strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// loadScenarios loads the named scenarios, or the default one.
func loadScenarios(names []string, quick bool) ([]*scenarios.Scenario, error) {
	if len(names) == 0 {
		names = []string{defaultScenario}
	}
	var all []*scenarios.Scenario
	for _, name := range names {
		s, err := loadScenario(name)
		if err != nil {
			return nil, exit(exitUsage, err)
		}
		if quick {
			s = s.Quickened()
		}
		all = append(all, s)
	}
	return all, nil
}

func newScenario(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenario",
		Short: "Look at scenarios before running them",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var quick bool
	dryRun := &cobra.Command{
		Use:   "dry-run [SCENARIO…]",
		Short: "Print the trials, the estimated duration and the predicted descriptors",
		RunE: func(_ *cobra.Command, names []string) error {
			all, err := loadScenarios(names, quick)
			if err != nil {
				return err
			}
			for i, s := range all {
				if i > 0 {
					fmt.Fprintln(stdout)
				}
				if err := printDryRun(stdout, s); err != nil {
					return exit(exitUsage, err)
				}
			}
			return nil
		},
	}
	dryRun.Flags().BoolVar(&quick, "quick", false, "the scenario's quick version")
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the built-in scenarios", Args: noArgs,
			RunE: func(*cobra.Command, []string) error { return listScenarios(stdout) },
		},
		&cobra.Command{
			Use: "show SCENARIO", Short: "Print a scenario's file", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return showScenario(stdout, args[0]) },
		},
		&cobra.Command{
			Use: "validate SCENARIO…", Short: "Check scenario files", Args: cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, names []string) error { return validateScenarios(stdout, names) },
		},
		&cobra.Command{
			Use: "schema", Short: "Print the JSON Schema of scenario files, for editors", Args: noArgs,
			RunE: func(*cobra.Command, []string) error {
				schema, err := scenarios.JSONSchema()
				if err != nil {
					return err
				}
				_, err = stdout.Write(schema)
				return err
			},
		},
		dryRun,
	)
	return cmd
}

func listScenarios(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range scenarios.BuiltinNames() {
		s, err := scenarios.Builtin(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\n", name, s.Title)
	}
	return table.Flush()
}

func showScenario(w io.Writer, name string) error {
	if isPath(name) {
		src, err := os.ReadFile(name)
		if err != nil {
			return exit(exitUsage, notScenario(name, err))
		}
		_, err = w.Write(src)
		return err
	}
	src, err := scenarios.BuiltinSource(name)
	if err != nil {
		return exit(exitUsage, notScenario(name, err))
	}
	_, err = w.Write(src)
	return err
}

// validateScenarios checks all of the files before it fails.
func validateScenarios(w io.Writer, names []string) error {
	var bad strictyaml.Errors
	var other error
	for _, name := range names {
		_, err := loadScenario(name)
		var found strictyaml.Errors
		switch {
		case err == nil:
			fmt.Fprintf(w, "%s: ok\n", name)
		case errors.As(err, &found):
			bad = append(bad, found...)
		case other == nil:
			other = err
		}
	}
	if other != nil {
		return exit(exitUsage, other)
	}
	if len(bad) > 0 {
		return exit(exitUsage, bad)
	}
	return nil
}
