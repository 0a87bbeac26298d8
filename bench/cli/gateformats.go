package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"floodgate/results/report"
	"floodgate/results/report/text"
)

// gateFormats are those of everything that a gate judges.
var gateFormats = []string{formatText, formatJSON, formatMarkdown, formatJUnit, formatSARIF, formatGitHub}

// gateOutput is how a gate prints what it judged.
type gateOutput struct {
	format string
	github bool
}

func (o *gateOutput) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.format, "format", formatText, "text, json, markdown, junit, sarif or github")
	cmd.Flags().BoolVar(&o.github, "github", false, "append Markdown to the summary of a step of GitHub Actions, and print annotations")
}

// check says whether the flags allow printing, before anything is measured.
func (o *gateOutput) check() error {
	if !slices.Contains(gateFormats, o.format) {
		return badFormat(o.format, gateFormats...)
	}
	switch {
	case !o.github:
		return nil
	case o.format != formatText && o.format != formatGitHub:
		return exit(exitUsage, fmt.Errorf("--github prints annotations: allowed with it is no --format %s", o.format))
	}
	return summaryWritable()
}

// write writes a judgement in the requested format; asText and asJSON are its own.
func (o *gateOutput) write(stdout io.Writer, j report.Judgement, asText func(io.Writer, text.Options) error, asJSON func(io.Writer) error) error {
	if o.github {
		return printGitHub(stdout, j, func(int) []byte { return report.Comment(j) })
	}
	switch o.format {
	case formatJSON:
		return asJSON(stdout)
	case formatMarkdown:
		return printBytes(stdout, report.Comment(j))
	case formatJUnit:
		return printBytes(stdout, report.JUnit(j))
	case formatSARIF:
		return printBytes(stdout, report.SARIF(j))
	case formatGitHub:
		return printBytes(stdout, report.Annotations(j))
	}
	return asText(stdout, terminal(stdout))
}
