package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios"
)

// DefaultScenario runs if no scenario is named.
const DefaultScenario = "report"

// LoadScenario loads a built-in scenario by its name, or a file by its path. A
// name with a path separator or the extension of YAML is a path. In a file that is to
// run, a variable ${NAME} that the environment does not set is an error; a nil
// environment accepts it.
func LoadScenario(name string, environment Lookup) (*scenarios.Scenario, error) {
	load := scenarios.Builtin
	if IsPath(name) {
		load = scenarios.Load
		if environment != nil {
			load = func(path string) (*scenarios.Scenario, error) { return scenarios.LoadToRun(path, environment) }
		}
	}
	s, err := load(name)
	return s, ScenarioError(name, err)
}

// Lookup returns the value of a variable of the environment, as os.LookupEnv does.
type Lookup func(name string) (value string, set bool)

// ScenarioError explains why no scenario could be loaded by the name, with a
// similar name if one exists.
func ScenarioError(name string, err error) error {
	if err == nil {
		return nil
	}
	if info, statErr := os.Stat(name); statErr != nil || !info.IsDir() {
		return missingScenario(name, err)
	}
	return fmt.Errorf("%s is a folder: name a file, such as %s, or a built-in scenario (%s)",
		name, filepath.Join(name, "scenario.yaml"), strings.Join(scenarios.BuiltinNames(), ", "))
}

// missingScenario suggests the built-in scenario or the file with a similar name.
func missingScenario(name string, err error) error {
	builtins := scenarios.BuiltinNames()
	file := nearestFile(name)
	if IsPath(name) {
		if errors.Is(err, fs.ErrNotExist) && file == "" {
			stem, _ := cutYAML(filepath.Base(name))
			return fmt.Errorf("scenario file %s does not exist%s", name, didYouMean(stem, builtins))
		}
		return MissingFile("scenario file", name, err)
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

// IsPath reports whether the name of a scenario is a path.
func IsPath(name string) bool {
	return strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// SubsetFlags select what of a scenario runs.
type SubsetFlags struct {
	quick bool
	part  scenarios.Subset
}

// Register registers --quick, --variants, --level and --blocks.
func (f *SubsetFlags) Register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.quick, "quick", false, "the scenario's quick version")
	flags.StringSliceVar(&f.part.Variants, "variants", nil, "only these variants, by `name`")
	flags.StringArrayVar(&f.part.Levels, "level", nil, "only this level, by `name` (repeatable)")
	flags.IntVar(&f.part.Blocks, "blocks", 0, "other `number` of blocks")
}

// Names of the flags.
func (*SubsetFlags) Names() []string { return []string{"quick", "variants", "level", "blocks"} }

// Quick reports whether the quick version is selected.
func (f *SubsetFlags) Quick() bool { return f.quick }

// Load loads the named scenarios, or the default one, as LoadScenarios does, and returns
// what is selected of them. It notes which claims are left out.
func (f *SubsetFlags) Load(cmd *cobra.Command, names []string, environment Lookup, note func(string)) ([]*scenarios.Scenario, error) {
	all, err := LoadScenarios(names, environment)
	if err != nil {
		return nil, err
	}
	if cmd.Flags().Changed("blocks") && f.part.Blocks == 0 {
		return nil, Usage(fmt.Errorf("--blocks must be at least %d (got 0)", scenarios.MinBlocks))
	}
	for i, s := range all {
		part := s
		if f.quick {
			part = s.Quickened()
			if s.Quick == nil {
				note(s.Name + " has no quick version: this is its first and last level, with the least number of blocks")
			}
		}
		if part, err = part.Subset(f.part); err != nil {
			return nil, Usage(fmt.Errorf("scenario %s: %w", s.Name, err))
		}
		var claims []string
		for _, c := range s.Claims {
			if !slices.ContainsFunc(part.Claims, func(kept scenarios.Claim) bool { return kept.ID == c.ID }) {
				claims = append(claims, c.ID)
			}
		}
		if claims != nil {
			note(fmt.Sprintf("%s: this part cannot decide the claims %s, which are left out", s.Name, strings.Join(claims, ", ")))
		}
		all[i] = part
	}
	return all, nil
}

// LoadScenarios loads the named scenarios, or the default one, as LoadScenario does.
func LoadScenarios(names []string, environment Lookup) ([]*scenarios.Scenario, error) {
	if len(names) == 0 {
		names = []string{DefaultScenario}
	}
	var all []*scenarios.Scenario
	for _, name := range names {
		s, err := LoadScenario(name, environment)
		if err != nil {
			return nil, Usage(err)
		}
		all = append(all, s)
	}
	return all, nil
}

// MissingFile returns an error that suggests an existing file with a similar name,
// if the file does not exist. It returns other errors unchanged.
func MissingFile(what, name string, err error) error {
	if _, statErr := os.Stat(name); !errors.Is(err, fs.ErrNotExist) || !errors.Is(statErr, fs.ErrNotExist) {
		return err
	}
	hint := ""
	if near := nearestFile(name); near != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", near)
	}
	return fmt.Errorf("%s %s does not exist%s", what, name, hint)
}

// nearestFile returns the YAML file in the folder of the path with the most
// similar name, regardless of the extension; empty means none.
func nearestFile(path string) string {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return ""
	}
	var stems, files []string
	for _, e := range entries {
		if stem, ok := cutYAML(e.Name()); ok && !e.IsDir() {
			stems, files = append(stems, stem), append(files, e.Name())
		}
	}
	stem, _ := cutYAML(base)
	if near := strictyaml.Nearest(stem, stems); near != "" {
		return dir + files[slices.Index(stems, near)]
	}
	return ""
}

// cutYAML returns a file's name without the extension of YAML, if it has one.
func cutYAML(name string) (stem string, ok bool) {
	if ext := filepath.Ext(name); ext == ".yaml" || ext == ".yml" {
		return strings.TrimSuffix(name, ext), true
	}
	return name, false
}
