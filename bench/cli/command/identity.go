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
	h.SUT = revisionOfSUT(ctx, s.SUT.Command)
}

// revisionOfSUT returns the revision of the repository that the command of a
// scenario stands in; nil means that the program under test is our own.
func revisionOfSUT(ctx context.Context, command []string) *results.SUT {
	if len(command) == 0 {
		return nil
	}
	r, ok := revision.OfCommand(ctx, command)
	s := &results.SUT{Revision: cmp.Or(r.Commit, "unknown"), Modified: r.Modified}
	if ok {
		s.Repository = filepath.Base(r.Top)
	}
	return s
}

// ReproduceCommand is a command as it was asked for, a word each: what decides what is
// measured, so that it can be measured again.
type ReproduceCommand []string

// notAsked are flags about what is printed and kept, and those that another run
// has others of: addresses of servers may hold credentials, and the environment
// is named as it was found.
var notAsked = []string{
	"format", "out", "quiet", "keep-data", "save-vegeta", "metrics", "resume", "env", "id-file",
	"mongo-uri", "mongo-uri-file", "upstream-url", "upstream-url-file",
}

// Reproduce is the command for one scenario, without its environment.
func Reproduce(cmd *cobra.Command, scenario string) ReproduceCommand {
	words := append(ReproduceCommand(strings.Fields(cmd.CommandPath())[1:]), scenario)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(notAsked, f.Name) {
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

// In is the whole command, in the environment that it came to.
func (a ReproduceCommand) In(env results.Environment) []string {
	return append(slices.Clone(a), "--env", env.Kind)
}
