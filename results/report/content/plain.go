package content

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Plain explains the decision on a claim to readers who do not know the terms of the
// evidence: “nothing is lost” holds: 240 of 240 documents found, 0 lost, 0 duplicate.
func Plain(c claims.Claim) string {
	words := "“" + c.Statement + "” "
	switch c.Decision {
	case verdict.Proved:
		words += "holds"
	case verdict.Refuted:
		words += "does not hold"
	default:
		words += "could not be decided"
	}
	if c.Decision != verdict.Undecided && !c.AsExpected {
		words += ", which was not expected"
	}
	var kinds []string
	of := map[string][]claims.Evidence{}
	for _, e := range c.Evidence {
		if e.Decision != c.Decision {
			continue // it did not decide
		}
		if of[e.Kind] == nil {
			kinds = append(kinds, e.Kind)
		}
		of[e.Kind] = append(of[e.Kind], e)
	}
	var parts []string
	for _, kind := range kinds {
		if words := measured(kind, of[kind]); words != "" {
			parts = append(parts, words)
		}
	}
	if parts == nil {
		return words + "."
	}
	return words + ": " + strings.Join(parts, "; ") + "."
}

// measured summarizes points of one kind; empty means that nothing was measured.
func measured(kind string, points []claims.Evidence) string {
	all := points
	points = slices.DeleteFunc(slices.Clone(points), func(e claims.Evidence) bool { return e.Value == nil })
	if len(points) == 0 && kind != claims.KindDocuments {
		return ""
	}
	byValue := func(a, b claims.Evidence) int { return cmp.Compare(*a.Value, *b.Value) }
	byShare := func(a, b claims.Evidence) int {
		return cmp.Compare(*a.Value/max(1, *a.Limit), *b.Value/max(1, *b.Limit))
	}
	switch kind {
	case claims.KindReduction:
		least, most := slices.MinFunc(points, byValue), slices.MaxFunc(points, byValue)
		words := text.Points(*least.Value) + " % to " + text.Percent(*most.Value)
		if text.Percent(*least.Value) == text.Percent(*most.Value) {
			words = text.Percent(*least.Value)
		}
		return words + " less time than " + least.Reference
	case claims.KindGrowth:
		e := slices.MinFunc(points, byValue)
		return fmt.Sprintf("from %s to %s less time with %s", text.OrNone(e.From, text.Percent), text.OrNone(e.To, text.Percent), e.Variant)
	case claims.KindPeak:
		e := slices.MaxFunc(points, byShare)
		return fmt.Sprintf("up to %s descriptors with %s, of %s predicted", whole(e.Value), e.Variant, whole(e.Limit))
	case claims.KindPeakGrowth:
		e := slices.MaxFunc(points, byValue)
		return fmt.Sprintf("from %s to %s descriptors with %s", text.OrNone(e.From, Shortest), text.OrNone(e.To, Shortest), e.Variant)
	case claims.KindLimitRespected:
		e := slices.MaxFunc(points, byShare)
		return fmt.Sprintf("up to %s requests in flight with %s at a limit of %s", whole(e.Value), e.Variant, whole(e.Limit))
	case claims.KindThroughputLost:
		e := slices.MaxFunc(points, byValue)
		return fmt.Sprintf("%s lost up to %s of the throughput%s", e.Variant, text.Percent(*e.Value), against(e))
	case claims.KindP99:
		e := slices.MaxFunc(points, byValue)
		return fmt.Sprintf("with %s, the slowest of 100 items took up to %s times as long as that%s", e.Variant, text.Digits(*e.Value), against(e))
	case claims.KindDocuments:
		sum := new(results.Documents)
		for _, e := range all {
			if e.Documents != nil {
				sum.Add(*e.Documents)
			}
		}
		return strings.Replace(documents(sum), " found", " documents found", 1)
	}
	sum := points[0]
	for _, e := range points[1:] {
		value := *sum.Value + *e.Value
		sum.Value, sum.N = &value, sum.N+e.N
	}
	return Statement(sum)
}
