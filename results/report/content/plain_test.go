package content_test

import (
	"testing"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/report/content"
	"floodgate/results/verdict"
)

func TestPlain(t *testing.T) {
	reduction := func(value float64, d verdict.Word) claims.Evidence {
		return claims.Evidence{Kind: claims.KindReduction, Variant: "ten", Reference: "one", Value: &value, Limit: new(0.6), Decision: d}
	}
	count := func(kind string, value, limit float64, n int, d verdict.Word) claims.Evidence {
		return claims.Evidence{Kind: kind, Variant: "ten", Value: &value, Limit: &limit, From: new(32.5), To: new(321.0), N: n, Decision: d}
	}
	documents := func(lost int, d verdict.Word) claims.Evidence {
		return claims.Evidence{Kind: claims.KindDocuments, Decision: d, Documents: &results.Documents{Expected: 1000, Found: 1000 - lost, Lost: lost}}
	}
	const proved, refuted, open = verdict.Proved, verdict.Refuted, verdict.Undecided
	for want, c := range map[string]claims.Claim{
		"“s” holds: 82.6 % to 89.6 % less time than one.": {Decision: proved, AsExpected: true, Evidence: []claims.Evidence{reduction(0.896, proved), reduction(0.826, proved)}},
		// What refutes a claim is named, and not what does not.
		"“s” does not hold, which was not expected: 20.0 % less time than one.": {Decision: refuted, Evidence: []claims.Evidence{reduction(0.896, proved), reduction(0.2, refuted)}},
		"“s” could not be decided: 58.0 % less time than one.":                  {Decision: open, Evidence: []claims.Evidence{reduction(0.9, proved), reduction(0.58, open)}},
		"“s” could not be decided.":                                             {Decision: open},
		"“s” holds: up to 354 descriptors with ten, of 409 predicted; from 32.5 to 321 descriptors with ten.": {
			Decision: proved, AsExpected: true,
			Evidence: []claims.Evidence{count(claims.KindPeak, 22, 29, 6, proved), count(claims.KindPeak, 354, 409, 6, proved), count(claims.KindPeakGrowth, 6, 6, 6, proved)},
		},
		"“s” holds: 2,000 of 2,000 documents found, 0 lost, 0 duplicate.":           {Decision: proved, AsExpected: true, Evidence: []claims.Evidence{documents(0, proved), documents(0, proved)}},
		"“s” does not hold: 997 of 1,000 documents found, 3 lost.":                  {Decision: refuted, AsExpected: true, Evidence: []claims.Evidence{documents(0, proved), documents(3, refuted)}},
		"“s” does not hold: up to 47 requests in flight with ten at a limit of 10.": {Decision: refuted, AsExpected: true, Evidence: []claims.Evidence{count(claims.KindLimitRespected, 47, 10, 6, refuted)}},
		"“s” holds: ten lost up to 12.0 % of the throughput of fixed; with ten, the slowest of 100 items took up to 1.50 times as long as that of fixed.": {
			Decision: proved, AsExpected: true, Evidence: []claims.Evidence{
				{Kind: claims.KindThroughputLost, Variant: "ten", Reference: "fixed", Value: new(0.12), Limit: new(0.2), Decision: proved},
				{Kind: claims.KindP99, Variant: "ten", Reference: "fixed", Value: new(1.5), Limit: new(2.0), Decision: proved},
			},
		},
		"“s” holds: 11 of 12 trials show this cause.":                                    {Decision: proved, AsExpected: true, Evidence: []claims.Evidence{count(claims.KindCause, 5, 6, 6, proved), count(claims.KindCause, 6, 6, 6, proved)}},
		"“s” holds: from 32.5 to 321 descriptors with ten; 6 of 6 trials match.":         {Decision: proved, AsExpected: true, Evidence: []claims.Evidence{count(claims.KindPeakGrowth, 6, 6, 6, proved), count(claims.KindTimeSeries, 6, 6, 6, proved)}},
		"“s” could not be decided: 1,000 of 1,000 documents found, 0 lost, 0 duplicate.": {Decision: open, Evidence: []claims.Evidence{documents(0, open)}},
	} {
		c.Statement = "s"
		if got := content.Plain(c); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
