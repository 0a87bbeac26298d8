package content

import (
	"fmt"
	"path/filepath"

	"floodgate/results"
	"floodgate/results/text"
	"floodgate/results/trace"
)

// tracesLine describes the traces of a run and what they cost; empty means that there are none.
func tracesLine(run *results.Run) string {
	if !run.Header.Traces {
		return ""
	}
	if run.Header.Merged != nil {
		return "beside the records of the shards, this one has none"
	}
	trials, kept, oneIn := 0, 0, trace.OneIn
	for _, t := range run.Trials {
		if t.Traces != nil && t.Traces.File != "" {
			trials, kept, oneIn = trials+1, kept+t.Traces.Kept, max(oneIn, t.Traces.OneIn)
		}
	}
	where := results.TraceDir
	if run.Path != "" {
		where = filepath.ToSlash(filepath.Join(filepath.Dir(run.Path), where))
	}
	return fmt.Sprintf("%s of %s in %s: of each, the slowest 1 %% and 1 in %s; tracing adds to CPU time and latencies",
		text.Plural(kept, "trace", "traces"), text.Plural(trials, "trial", "trials"), where, text.Count(oneIn))
}
