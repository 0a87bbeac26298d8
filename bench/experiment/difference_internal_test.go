package experiment

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/mockupstream"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline/calllog"
)

// A wrong document names the field that differs and both values, the first one alone.
func TestAWrongDocumentNamesTheField(t *testing.T) {
	s := &scenarios.Scenario{Database: scenarios.Database{Documents: "per-item"}}
	s.Upstream.Body = mockupstream.Body{Min: 2, Max: 2}
	e := newExpectation(s, 1, [][]string{{"a", "b"}}, nil, false)
	answer, err := calllog.Decode("a/b", mockupstream.Answer(e.profile, e.seed, "a/b"), false)
	if err != nil {
		t.Fatal(err)
	}
	right := answer[0].Records
	other := append([]calllog.Record(nil), right...)
	other[1].Direction = "sideways"
	for want, d := range map[string]any{
		`item: want the string "a/b", got an array`:           bson.M{"_id": "a/b", "item": bson.A{"a", "b"}, "records": right},
		`item: want a string, got no such field`:              bson.M{"_id": 7, "records": right},
		`item: want an item of the trial, got the string "c"`: bson.M{"item": "c"},
		`seq of "a/b": want 0, got 3`:                         bson.M{"item": "a/b", "seq": 3, "records": right},
		`seq of "a/b": want 0, got the string "0"`:            bson.M{"item": "a/b", "seq": "0", "records": right},
		`records of "a/b": want an array, got no such field`:  bson.M{"item": "a/b"},
		`records of "a/b": want 2, got 1`:                     bson.M{"item": "a/b", "records": right[:1]},
		`records[0] of "a/b": want a document, got 5`:         bson.M{"item": "a/b", "records": bson.A{5, 6}},
		`records[1].direction of "a/b": want the string "` + right[1].Direction + `", got the string "sideways"`: bson.M{"item": "a/b", "records": other},
		"": bson.M{"item": "a/b", "seq": 0, "records": right},
	} {
		raw, err := bson.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		e.example = ""
		if err := e.exemplify(raw); err != nil || e.example != want {
			t.Errorf("%q, %v; want %q", e.example, err, want)
		}
	}
	e.example = "the first"
	if err := e.exemplify(nil); err != nil || e.example != "the first" {
		t.Errorf("%q, %v: only the first one is described", e.example, err)
	}
}
