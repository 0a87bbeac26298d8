package cli

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/results"
	"floodgate/results/report/content"
)

// Version is that of a release, or that of the next one with the suffix -dev.
const Version = "0.2.0-dev"

// build describes this program.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // "unknown" for a build outside of a repository
	Modified bool   `json:"modified"` // the revision had changes
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func newVersion(stdout io.Writer) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version and the revision of this program", Args: command.NoArgs,
		Example: "  floodgate version --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := build{Version: Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
			b.Revision, b.Modified = results.OwnRevision(cmd.Context())
			if asJSON {
				return content.WriteJSON(stdout, b, "version")
			}
			_, err := fmt.Fprintln(stdout, b)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (b build) String() string {
	revision := content.ShortRevision(b.Revision)
	if b.Modified {
		revision += " with changes"
	}
	return fmt.Sprintf("floodgate %s, revision %s, %s, %s/%s", b.Version, revision, b.Go, b.OS, b.Arch)
}
