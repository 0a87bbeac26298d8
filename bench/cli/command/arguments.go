package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/mockupstream/strictyaml"
)

// didYouMean returns ` (did you mean "x"?)` with the most similar of the names, or
// nothing if none is similar.
func didYouMean(name string, names []string) string {
	if near := strictyaml.Nearest(name, names); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// NoArgs refuses arguments of a command. An argument of a group of commands is the
// name of an unknown command.
func NoArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasAvailableSubCommands():
		return UnknownCommand(cmd, args[0])
	}
	return fmt.Errorf("%s takes no arguments (got %q)", cmd.CommandPath(), args[0])
}

// UnknownCommand returns an error that suggests the command with the most similar
// name.
func UnknownCommand(cmd *cobra.Command, name string) error {
	return fmt.Errorf("unknown command %q for %q%s", name, cmd.CommandPath(), didYouMean(name, commandNames(cmd)))
}

// HelpTopic refuses the name of an unknown command as an argument of help.
func HelpTopic(help *cobra.Command, args []string) error {
	topic, rest, err := help.Root().Find(args)
	if err == nil && len(rest) > 0 && topic.HasAvailableSubCommands() {
		return UnknownCommand(topic, rest[0])
	}
	return err
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// UnknownFlag adds the flag with the most similar name to the error about an
// unknown flag. A word after one dash, as in -quick, means a long flag.
func UnknownFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	name := unknown.GetSpecifiedName()
	if word := unknown.GetSpecifiedShortnames(); len(word) > 1 {
		name = word
	}
	name, _, _ = strings.Cut(name, "=")
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Deprecated == "" {
			names = append(names, f.Name)
		}
	})
	if near := strictyaml.Nearest(name, names); near != "" {
		return fmt.Errorf("%w (did you mean --%s?)", err, near)
	}
	return err
}

// CheckNumbers refuses numbers with a leading zero in the flags of a command
// line, which package pflag reads as octal: --seed 010 would be 8.
func CheckNumbers(root *cobra.Command, args []string) (*cobra.Command, error) {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return cmd, err
	}
	cmd.InitDefaultHelpFlag()
	var wrong error
	_ = cmd.Flags().ParseAll(rest, func(f *pflag.Flag, value string) error { // its errors are reported when the command parses them
		if !slices.Contains(numericFlags, f.Value.Type()) {
			return nil
		}
		for number := range strings.SplitSeq(value, ",") {
			if err := strictyaml.CheckZeros(strings.TrimSpace(number)); err != nil && wrong == nil {
				wrong = fmt.Errorf("--%s: %w", f.Name, err)
			}
		}
		return nil
	})
	return cmd, wrong
}

// numericFlags holds pflag's names of the numeric types of flags.
var numericFlags = []string{"int", "uint64", "float64", "duration", "intSlice"}
