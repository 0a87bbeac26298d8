package experiment

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/results"
	"floodgate/scenarios"
)

// collected is a collection of documents with the given keys.
type collected []string

func (c collected) Documents(_ context.Context, _, _ string, each func(bson.Raw) error) error {
	for _, key := range c {
		raw, err := bson.Marshal(bson.M{"item": key, "seq": 0})
		if err != nil {
			return err
		}
		if err := each(raw); err != nil {
			return err
		}
	}
	return nil
}

// A document that was written under another key is both lost and foreign, and counts once.
func TestEachDocumentIsCountedOnce(t *testing.T) {
	items := [][]string{{"a"}, {"b"}, {"c"}}
	for name, test := range map[string]struct {
		found  collected
		failed []string
		want   results.Documents
		broken int
	}{
		"all there":            {collected{"a", "b", "c"}, nil, results.Documents{Expected: 3, Found: 3}, 0},
		"all under other keys": {collected{"A", "B", "C"}, nil, results.Documents{Expected: 3, Found: 3, Lost: 3, Foreign: 3, Renamed: 3}, 3},
		"one under another":    {collected{"a", "b", "C"}, nil, results.Documents{Expected: 3, Found: 3, Lost: 1, Foreign: 1, Renamed: 1}, 1},
		"more lost":            {collected{"A"}, nil, results.Documents{Expected: 3, Found: 1, Lost: 3, Foreign: 1, Renamed: 1}, 3},
		"more foreign":         {collected{"a", "b", "C", "D", "E"}, nil, results.Documents{Expected: 3, Found: 5, Lost: 1, Foreign: 3, Renamed: 1}, 3},
		"lost and twice":       {collected{"a", "a", "b"}, nil, results.Documents{Expected: 3, Found: 3, Lost: 1, Duplicate: 1}, 2},
		"failed and foreign":   {collected{"a", "b", "C"}, []string{"c"}, results.Documents{Expected: 3, Found: 3, Foreign: 1, Unwritten: 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := newExpectation(&scenarios.Scenario{}, 1, items, test.failed, false)
			e.anyContent = true // the content does not matter here
			got, err := e.check(t.Context(), test.found, "", "")
			if err != nil {
				t.Fatal(err)
			}
			test.want.Unchecked = true
			if *got != test.want || got.Violations() != test.broken {
				t.Errorf("%+v, %d broken, want %+v, %d", *got, got.Violations(), test.want, test.broken)
			}
		})
	}
}

// The sum over trials is taken per trial: the lost documents of one trial do not offset the
// foreign ones of another.
func TestDocumentsOfTwoTrials(t *testing.T) {
	sum := results.Documents{Lost: 100}
	sum.Add(results.Documents{Foreign: 100})
	sum.Add(results.Documents{Lost: 5, Foreign: 5, Renamed: 5})
	if sum.Violations() != 205 || sum.StoredViolations() != 105 {
		t.Errorf("%d broken, %d spoiled, want 205 and 105", sum.Violations(), sum.StoredViolations())
	}
}
