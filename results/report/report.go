// Package report renders a run and its verdict: for a terminal, as JSON, and
// as Go benchmark text that benchstat reads. It computes nothing that decides:
// that is in the [gate.Verdict]. What is unavailable shows as "—", never as 0.
package report

import (
	"encoding/json"
	"fmt"
	"io"

	"floodgate/results/claims"
)

// JSON writes the verdict, indented, with a newline at its end.
func JSON(w io.Writer, v *claims.Outcome) error {
	return writeJSON(w, v, fmt.Sprintf("verdict of run %q", v.Run))
}

// writeJSON writes v, called what in an error, indented and with a newline at its end.
func writeJSON(w io.Writer, v any, what string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}
