package experiment

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline/calllog"
)

// documentSource streams the documents of a collection.
type documentSource interface {
	Documents(ctx context.Context, db, collection string, each func(bson.Raw) error) error
}

// expectation is what a trial's collection must hold. Content is not kept: it
// is a pure function of the seed and the item, made when a document is seen.
type expectation struct {
	profile   mockupstream.Profile
	seed      uint64
	perRecord bool
	// documents of each item; failed are the items that the SUT said it could not do.
	documents map[string]int
	failed    map[string]bool
	// unfinished: the SUT never said that it was done, so nothing that is missing is lost.
	unfinished bool
	// unknown: the upstream is not ours, and the content anything.
	unknown bool
}

func newExpectation(s *scenarios.Scenario, seed uint64, items [][]string, failed []string, unfinished bool) *expectation {
	e := &expectation{
		unfinished: unfinished,
		profile:    s.Upstream, seed: seed, perRecord: s.Database.Documents == "per-record",
		documents: map[string]int{}, failed: map[string]bool{},
	}
	for _, args := range items {
		key := itemKey(args)
		e.documents[key] = 1
		if e.perRecord {
			e.documents[key] = e.profile.Draw(seed, key, 1).Records
		}
	}
	for _, key := range failed {
		e.failed[key] = true
	}
	return e
}

// written is what is read of a document: its _id may be anything, so that a
// program that inserts twice instead of replacing is found out.
type written struct {
	Item    string           `bson:"item"`
	Seq     int              `bson:"seq"`
	Records []calllog.Record `bson:"records"`
}

// identity of a document.
type identity struct {
	item string
	seq  int
}

// check compares the collection with what the items must have left there.
func (e *expectation) check(ctx context.Context, source documentSource, db, collection string) (*results.Documents, error) {
	r := results.Documents{Unchecked: e.unknown}
	seen := make(map[identity]int)
	err := source.Documents(ctx, db, collection, func(raw bson.Raw) error {
		r.Found++
		var d written
		readable := bson.Unmarshal(raw, &d) == nil
		id := identity{d.Item, d.Seq}
		if !readable || d.Seq < 0 || d.Seq >= e.documents[d.Item] {
			r.Foreign++
			return nil
		}
		if seen[id]++; seen[id] > 1 {
			r.Duplicate++
			return nil
		}
		right, err := e.right(d)
		if err != nil {
			return err
		}
		if !right {
			r.Corrupt++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check the documents of %s: %w", collection, err)
	}
	for item, n := range e.documents {
		r.Expected += n
		for seq := range n {
			switch {
			case seen[identity{item, seq}] > 0:
			case e.unfinished || e.failed[item]:
				r.Unwritten++
			default:
				r.Lost++
			}
		}
	}
	r.Renamed = min(r.Lost, r.Foreign)
	return &r, nil
}

// right reports whether the document has the content that the upstream answered.
func (e *expectation) right(d written) (bool, error) {
	if e.unknown {
		return true, nil
	}
	body := mockupstream.Answer(e.profile, e.seed, d.Item)
	want, err := calllog.Decode(calllog.Item(d.Item), body, e.perRecord)
	if err != nil {
		return false, fmt.Errorf("answer of %q: %w", d.Item, err)
	}
	return slices.Equal(d.Records, want[d.Seq].Records), nil
}

func itemKey(args []string) string { return string(calllog.NewItem(args...)) }
