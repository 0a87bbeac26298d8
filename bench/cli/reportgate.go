package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"floodgate/bench/against"
	verdicts "floodgate/results/against"
	"floodgate/results/report"
	"floodgate/results/report/text"
)

// openGate opens the verdict of gate --against or --cmd-a by the path of its
// folder or file. Where there is none it returns nil: it may be a run.
func openGate(path string) (*verdicts.Verdict, error) {
	if filepath.Base(path) != against.VerdictFile {
		path = filepath.Join(path, against.VerdictFile)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v := new(verdicts.Verdict)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // of a later version, which may mean another verdict
	if err := decoder.Decode(v); err != nil {
		return nil, fmt.Errorf("%s: not the verdict of a gate: %w", path, err)
	}
	if err := v.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// reportGate prints a stored comparison of two programs again.
func reportGate(cmd *cobra.Command, stdout io.Writer, v *verdicts.Verdict, out gateOutput, output string) error {
	for _, flag := range []string{"open", "scenario"} {
		if cmd.Flags().Changed(flag) {
			return exit(exitUsage, fmt.Errorf("--%s is for a run; this is a gate's comparison", flag))
		}
	}
	if err := out.check(); err != nil {
		return err
	}
	if err := into(output, stdout, func(w io.Writer) error { return printAgainst(w, v, &out) }); err != nil {
		return err
	}
	return exit(v.Exit, nil)
}

// printAgainst prints a comparison of two programs.
func printAgainst(stdout io.Writer, v *verdicts.Verdict, out *gateOutput) error {
	return out.write(stdout, report.AgainstJudgement(v),
		func(w io.Writer, o text.Options) error { return report.Against(w, v, o) },
		func(w io.Writer) error { return report.AgainstJSON(w, v) })
}
