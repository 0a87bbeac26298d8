package command

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/machine"
	"floodgate/results"
	"floodgate/results/revision"
	"floodgate/scenarios"
)

// Identify records the machine, this program and the program under test.
func Identify(ctx context.Context, h *results.Header, s *scenarios.Scenario) {
	h.Fingerprint = machine.Fingerprint(ctx)
	if h.SUT = revisionOfSUT(ctx, s.SUT.Command); s.SUT.Container.Image != "" { // its trials name the image
		h.SUT = &results.SUT{Revision: "unknown"}
	}
}

// revisionOfSUT returns the revision of the repository that contains the command
// of a scenario; nil means that the program under test is our own.
func revisionOfSUT(ctx context.Context, command []string) *results.SUT {
	if len(command) == 0 {
		return nil
	}
	r, ok := revision.OfCommand(ctx, command)
	s := &results.SUT{Revision: cmp.Or(r.Commit, "unknown"), Modified: r.Modified}
	s.Toolchain, s.CLibrary = revision.Built(command)
	if ok {
		s.Repository = filepath.Base(r.Top)
	}
	return s
}

// ReproduceCommand is the part of the command line that determines the measurement,
// split into words, so that the measurement can be repeated.
type ReproduceCommand []string

// notReproduced are flags that do not affect the measurement, or differ from run to
// run: addresses of servers may contain credentials, and the environment is
// recorded as it was chosen.
var notReproduced = []string{
	"format", "out", "quiet", "keep-data", "save-vegeta", "metrics", "web", "resume", "env", "id-file",
	"mongo-uri", "mongo-uri-file", "upstream-url", "upstream-url-file",
}

// Reproduce returns the command for one scenario, without its environment.
func Reproduce(cmd *cobra.Command, scenario string) ReproduceCommand {
	words := append(ReproduceCommand(strings.Fields(cmd.CommandPath())[1:]), scenario)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(notReproduced, f.Name) {
			return
		}
		name, value := "--"+f.Name, f.Value.String()
		all, list := f.Value.(pflag.SliceValue)
		switch {
		case f.Value.Type() == "bool" && value == "true":
			words = append(words, name)
		case f.Value.Type() == "bool":
		case f.Value.Type() == "stringArray":
			for _, one := range all.GetSlice() {
				words = append(words, name, one)
			}
		case list:
			words = append(words, name, strings.Join(all.GetSlice(), ","))
		default:
			words = append(words, name, value)
		}
	})
	return words
}

// In returns the whole command, with the chosen environment.
func (a ReproduceCommand) In(env results.Environment) []string {
	return append(slices.Clone(a), "--env", env.Kind)
}
