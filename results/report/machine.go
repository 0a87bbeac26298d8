package report

import (
	"fmt"

	"floodgate/results"
	"floodgate/results/report/text"
)

// machineLine describes the processors and the memory of a machine: "AMD EPYC,
// 2 cores, GOMAXPROCS 2, CPU quota 1.5 cores, 8.0 GiB".
func machineLine(m results.Fingerprint) string {
	return fmt.Sprintf("%s, %s%s, %s", m.CPU, text.Plural(m.Cores, "core", "cores"), processors(m.Processors()), text.Gibibytes(m.Memory))
}

// processors makes the text of [results.Processors] a part of a list.
func processors(words string) string {
	if words == "" {
		return ""
	}
	return ", " + words
}

// sutLine names the revision of a program under test that is not Floodgate's own.
func sutLine(s results.SUT) string {
	words := "revision " + short(s.Revision)
	if s.Modified {
		words += " with changes"
	}
	if s.Repository != "" {
		words += " of repository " + s.Repository
	}
	return words
}
