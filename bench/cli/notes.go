package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// notes tell the user something at once, unless --quiet forbids it.
type notes struct {
	quiet  bool
	stderr io.Writer
}

func (n *notes) flag(flags *pflag.FlagSet) {
	flags.BoolVar(&n.quiet, "quiet", false, "no progress")
}

func (n *notes) note(text string) {
	if !n.quiet {
		fmt.Fprintln(n.stderr, strings.TrimSpace(text))
	}
}
