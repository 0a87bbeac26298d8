// Package content holds the parts of a report that all formats share: its tables, as
// grids of cells, and its evidence, remarks and facts, as sentences. Packages
// report, html and ci lay them out. See the example of [EvidenceRemarks].
//
//	r := content.Run{Record: run, Outcome: outcome}
//	for _, row := range r.TableGrid().Rows { … } // a cell a column, with its unit
package content

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"floodgate/results/text"
	"floodgate/results/verdict"
)

// WriteJSON writes v, indented and with a newline at its end; errors mention what.
func WriteJSON(w io.Writer, v any, what string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}

// counted formats counts: "1 worse, 5 same".
func counted(c verdict.Counts) string {
	var parts []string
	for _, w := range c.Words() {
		parts = append(parts, text.Count(c[w])+" "+w.String())
	}
	return strings.Join(parts, ", ")
}

// ShortRevision returns the first 12 characters of a revision.
func ShortRevision(revision string) string { return revision[:min(12, len(revision))] }

// TrimmedPercent writes a share as a percentage without trailing zeros: "97.5 %".
func TrimmedPercent(share float64) string { return fmt.Sprintf("%.6g %%", 100*share) }

// Command returns a floodgate command, quoted for a shell.
func Command(words []string) string {
	phrase := "floodgate"
	for _, w := range words {
		phrase += " " + ShellWord(w)
	}
	return phrase
}

// ShellWord quotes text that a shell would not read as one word.
func ShellWord(words string) string {
	if words != "" && strings.Trim(words, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:=@") == "" {
		return words
	}
	return "'" + strings.ReplaceAll(words, "'", `'\''`) + "'"
}
