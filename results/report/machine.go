package report

import (
	"fmt"

	"floodgate/results"
)

// machineLine describes the processors and the memory of a machine: "AMD EPYC,
// 2 cores, GOMAXPROCS 2, CPU quota 1.5 cores, 8.0 GiB".
func machineLine(m results.Fingerprint) string {
	return fmt.Sprintf("%s, %s%s, %s", m.CPU, plural(m.Cores, "core", "cores"), processors(m.Processors()), gibibytes(m.Memory))
}

// processors makes the text of [results.Processors] a part of a list.
func processors(text string) string {
	if text == "" {
		return ""
	}
	return ", " + text
}

// sutLine names the revision of a program under test that is not Floodgate's own.
func sutLine(s results.SUT) string {
	text := "revision " + short(s.Revision)
	if s.Modified {
		text += " with changes"
	}
	if s.Repository != "" {
		text += " of repository " + s.Repository
	}
	return text
}
