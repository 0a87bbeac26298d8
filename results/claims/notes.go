package claims

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/summary"
)

// shardNote says why nothing is judged by some of the shards.
func shardNote(s results.Shard) string {
	return fmt.Sprintf("%v; merge all shards for the verdict (floodgate merge)", s)
}

// sharded describes a record of shards.
func sharded(v *Outcome) (notes []string) {
	if v.Shard != nil {
		notes = append(notes, shardNote(*v.Shard))
	}
	if v.Merged == nil {
		return notes
	}
	notes = append(notes, fmt.Sprintf("merged from %d shards, which did not start together: latencies and counts are exact, and the makespan of the fleet is unknown; the times of the hosts themselves are in the table of hosts", len(v.Merged)))
	if m := v.Machine; m.Modified || m.Revision == "unknown" {
		notes = append(notes, "the builds of the shards have no revision that identifies them, so they may differ")
	}
	for _, m := range v.Merged {
		if !m.Complete {
			notes = append(notes, fmt.Sprintf("shard %d is not finished: it has %d of %d trials; resume it where it ran (floodgate run --resume %s) and merge again", m.Shard, m.Trials, v.Planned, m.ID))
		}
	}
	return notes
}

// notes describes the missing parts of a run.
func notes(v *Outcome) []string {
	var notes []string
	if n := v.Planned - v.Recorded; n > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d trials were not run", n, v.Planned))
	}
	if n := v.Outcomes[results.OutcomeFailed]; n > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d trials could not be measured", n, v.Recorded))
	}
	if n := v.Outcomes[results.OutcomeInvalid]; n > 0 {
		notes = append(notes, fmt.Sprintf("invalid because the mock upstream, the load generator or the machine was overloaded: %d of %d trials", n, v.Recorded))
	}
	if len(v.Claims)+len(v.Thresholds) == 0 && v.Shard == nil {
		notes = append(notes, "the scenario has no claims or thresholds, so nothing was judged")
	}
	return notes
}

// limited notes what could not be measured with an external upstream or a program that
// writes nothing.
func limited(run *results.Run) []string {
	throttled, requests, unread, unwritten := 0, 0, 0, 0
	for _, t := range run.Trials {
		if t.Throttled > 0 {
			throttled++
			requests += t.Throttled
		}
		if t.Documents != nil && t.Documents.Unchecked {
			unread++
		}
		if t.NoDocuments {
			unwritten++
		}
	}
	var notes []string
	if throttled > 0 {
		notes = append(notes, fmt.Sprintf("throttled by external.rate: %d requests in %d of %d trials, whose times measure that bound and not the upstream", requests, throttled, len(run.Trials)))
	}
	for _, note := range []string{proxied(run), launched(run)} {
		if note != "" {
			notes = append(notes, note)
		}
	}
	if unread > 0 {
		notes = append(notes, fmt.Sprintf("documents counted but not read, as the answers of the upstream are unknown: in %d of %d trials; a corrupt one would go unnoticed", unread, len(run.Trials)))
	}
	if unwritten > 0 {
		notes = append(notes, fmt.Sprintf("no documents expected in %d of %d trials, as the program writes none (database.documents: none)", unwritten, len(run.Trials)))
	}
	return notes
}

// proxied describes the requests to an external upstream as the proxy in front of it saw
// them; empty means that there was none.
func proxied(run *results.Run) string {
	trials, requests, peak := 0, 0, 0
	failed := map[string]int{}
	for _, t := range run.Trials {
		u := t.Upstream
		if u == nil || !u.Proxied {
			continue
		}
		trials++
		requests += u.Requests
		peak = max(peak, u.PeakInFlight)
		for _, e := range u.Errors {
			failed[e.Type] += e.Count
		}
	}
	if trials == 0 {
		return ""
	}
	seen := "no errors"
	if len(failed) > 0 {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(failed)) {
			parts = append(parts, fmt.Sprintf("%s × %d", name, failed[name]))
		}
		seen = strings.Join(parts, ", ")
	}
	return fmt.Sprintf("as Floodgate's proxy saw the external upstream in %d of %d trials: %d requests, at most %d in flight, %s", trials, len(run.Trials), requests, peak, seen)
}

// launched names the processes that were watched in place of those that the command
// started; empty means that there were none.
func launched(run *results.Run) string {
	names := map[string]bool{}
	trials := 0
	for _, t := range run.Trials {
		if name := t.Descriptors.Process; name != "" {
			names[name] = true
			trials++
		}
	}
	if trials == 0 {
		return ""
	}
	return fmt.Sprintf("watched in %d of %d trials: %s, which the process of sut.command started and which listens", trials, len(run.Trials), strings.Join(slices.Sorted(maps.Keys(names)), ", "))
}

// outOfPorts notes the trials whose clients ran out of local ports.
func outOfPorts(run *results.Run) []string {
	items, trials := 0, 0
	for _, t := range run.Trials {
		if n := t.ErrorsOf("ports"); n > 0 {
			items += n
			trials++
		}
	}
	if trials == 0 {
		return nil
	}
	return []string{fmt.Sprintf("out of local ports (EADDRNOTAVAIL): %d items failed in %d of %d trials; reuse connections, or widen the range of local ports (net.ipv4.ip_local_port_range)", items, trials, len(run.Trials))}
}

// repeated notes the requests that clients retried, which hides faults.
func repeated(run *results.Run) []string {
	requests, trials := 0, 0
	for _, t := range run.Trials {
		if t.Upstream != nil && t.Upstream.Repeated > 0 {
			requests += t.Upstream.Repeated
			trials++
		}
	}
	if trials == 0 {
		return nil
	}
	return []string{fmt.Sprintf("retried by the client: %d requests in %d of %d trials; the first fault of each is not among the errors (net/http retries a GET if a kept-alive connection is closed before the answer)", requests, trials, len(run.Trials))}
}

// discarded notes the trials that were rerun.
func discarded(run *results.Run) []string {
	overloaded, interrupted, example := 0, 0, ""
	for _, t := range run.Trials {
		if slices.ContainsFunc(t.Discarded, func(d results.Discarded) bool { return !d.ServerEnded }) {
			overloaded++
		}
		if i := slices.IndexFunc(t.Discarded, func(d results.Discarded) bool { return d.ServerEnded }); i >= 0 {
			if interrupted++; interrupted == 1 {
				reason, _, _ := strings.Cut(t.Discarded[i].Reason, ";") // without the end of the log
				example = fmt.Sprintf("trial %d first: %s", t.Index, reason)
			}
		}
	}
	var notes []string
	if overloaded > 0 {
		notes = append(notes, fmt.Sprintf("rerun because the mock upstream, the load generator or the machine was overloaded at first: %d of %d trials", overloaded, len(run.Trials)))
	}
	if interrupted > 0 {
		notes = append(notes, fmt.Sprintf("rerun because a server of the environment ended: %d of %d trials, %s", interrupted, len(run.Trials), example))
	}
	return notes
}

// warnings notes the number of trials with warnings, with the first one in full.
func warnings(run *results.Run, labels map[string]string) []string {
	warned, first := 0, -1
	for i, t := range run.Trials {
		if len(t.Warnings) == 0 {
			continue
		}
		warned++
		if first < 0 || t.Index < run.Trials[first].Index {
			first = i
		}
	}
	if warned == 0 {
		return nil
	}
	t := run.Trials[first]
	return []string{fmt.Sprintf("%d of %d trials have warnings, trial %d (%s at %s) first: %s",
		warned, len(run.Trials), t.Index, t.Variant, cmp.Or(labels[t.LevelName], t.LevelName), t.Warnings[0])}
}

// unreported notes what a program of the user's own does not report.
func unreported(x *summary.Index, run *results.Run) []string {
	if len(x.Scenario.SUT.Command) == 0 || x.Scenario.Service != nil {
		return nil
	}
	first := slices.IndexFunc(run.Trials, func(t results.Trial) bool { return t.Outcome == results.OutcomeOK })
	if first < 0 {
		return nil
	}
	if note := run.Trials[first].Unreported(); note != "" {
		return []string{note}
	}
	return nil
}
