package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/sut"
	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios/examples"
)

// initOptions are the flags of "init", which are mutually exclusive.
type initOptions struct {
	sut string // the language of a program that speaks the protocol
	out string
	ci  ciOptions
	attackOptions
}

func newInit(stdout io.Writer) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init --sut LANGUAGE | --ci FORGE FILE | METHOD URL …",
		Short: "Write a program, a scenario or a CI job of your own to start from",
		Example: `  floodgate init --sut python
  floodgate init --out own.yaml POST http://127.0.0.1:8080/reports @report.json
  floodgate init --ci github ci/mine.yaml --from example/floodgate@v0.2.0`,
		Long: `With the arguments of floodgate attack, writes the scenario of that load.

With --sut, writes a working program that speaks the protocol of the system
under test (floodgate help protocol): it fetches every item within its limit,
writes the answers to MongoDB, and reports counts and latencies. Name it in a
scenario as sut: {command: [python3, sut.py]} and put your own code in.

With --ci, writes a job into this repository that runs gate diff on a scenario,
and the --baseline of a stored run, where git does not ignore it.

Exit codes: 0 written; 2 a file exists, or another mistake.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args, stdout) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.sut, "sut", "", "program that speaks the protocol, in a `language`:\ngo, python or node")
	flags.StringVar(&o.out, "out", "", "new `file` to write (default standard output)")
	flags.StringVar(&o.ci.forge, "ci", "", "CI `system` of the job: github or gitlab")
	flags.StringVar(&o.ci.source, "from", "", "Floodgate's repository and `revision` for --ci")
	flags.StringVar(&o.ci.baseline, "baseline", "", "stored `run` for --ci to make a baseline from")
	o.flags(flags)
	for _, other := range []string{"sut", "out"} {
		cmd.MarkFlagsMutuallyExclusive("ci", other)
	}
	return cmd
}

// run writes the selected files.
func (o initOptions) run(cmd *cobra.Command, args []string, stdout io.Writer) error {
	var text []byte
	var err error
	switch {
	case o.ci.forge != "":
		if err := o.ci.run(cmd.Context(), args, stdout); err != nil {
			return command.Usage(err)
		}
		return nil
	case o.ci.source != "" || o.ci.baseline != "":
		err = errors.New("--from and --baseline need --ci")
	case o.sut != "" && len(args) > 0:
		err = errors.New("--sut and the arguments of a scenario are mutually exclusive")
	case o.sut == "" && len(args) == 0:
		err = errors.New("specify --sut LANGUAGE for a program, METHOD URL for a scenario, or --ci FORGE FILE for a CI job")
	case o.sut != "":
		text, err = o.program()
	default:
		if _, err = o.scenario(cmd, args); err == nil {
			text, err = o.source(cmd, args)
		}
	}
	if err != nil {
		return command.Usage(err)
	}
	if o.out == "" {
		_, err := stdout.Write(text)
		return err
	}
	if err := writeNew(o.out, text); err != nil {
		return command.Usage(fmt.Errorf("--out: %w", err))
	}
	return nil
}

// program returns the example program in the language of --sut.
func (o initOptions) program() ([]byte, error) {
	all := examples.Programs()
	i := slices.IndexFunc(all, func(p examples.Program) bool { return p.Language == o.sut })
	if i >= 0 {
		return all[i].Source()
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Language)
	}
	return nil, fmt.Errorf("--sut: unknown language %q (want %s)", o.sut, strictyaml.Or(names))
}

// writeNew writes a file, or leaves none. It is an error if the file exists.
func writeNew(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already, and init overwrites nothing; name another file", path)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil { // half a file would keep the next init from writing
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// newProtocolTopic returns a topic of help that is not a command.
func newProtocolTopic() *cobra.Command {
	topic := &cobra.Command{Use: "protocol", Short: "How a program of your own becomes the system under test", Long: sut.ProtocolText()}
	topic.SetHelpTemplate("{{.Long}}")
	return topic
}
