package dbproxy_test

import (
	"context"
	"log/slog"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/bench/environment/dbproxy"
	"floodgate/bench/environment/embedmongo"
	"floodgate/bench/environment/wire"
)

// connect returns a client that does not retry anything.
func connect(t *testing.T, uri string) *driver.Client {
	t.Helper()
	c, err := driver.Connect(options.Client().ApplyURI(uri).SetRetryWrites(false).SetRetryReads(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(context.Background()) })
	return c
}

// The driver reports an error for every drawn reset, and the database holds the documents
// whose reset came after the write. After the failed writes are repeated, it holds all.
func TestDriverAndDatabase(t *testing.T) {
	s, err := embedmongo.Serve(context.Background(), embedmongo.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	link := dbproxy.Link{Resets: 0.2, Seed: 5, Bandwidth: 10 << 20}
	p, _ := start(t, dbproxy.Target{Addr: s.Addr().String(), Loopback: true}, dbproxy.Link{})
	if err := p.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A client whose connection was reset waits for its next heartbeat; a new one does
	// not.
	through := func() *driver.Collection {
		return connect(t, "mongodb://"+p.Addr().String()+"/").Database("test").Collection("c")
	}
	c := through()
	direct := connect(t, s.URI()).Database("test").Collection("c")
	if _, err := c.CountDocuments(t.Context(), bson.D{}); err != nil { // connects
		t.Fatal(err)
	}
	p.SetLink(link)

	const n = 40
	var want dbproxy.Stats
	failed := map[int]bool{}
	for id := range n {
		draw := link.Draw(wire.Message(update(t, 0, int32(id))).Key(), 1)
		err := upsert(t.Context(), c, id)
		if err != nil {
			c = through()
		}
		if (err != nil) != (draw.Reset != dbproxy.NoReset) || err != nil && !driver.IsNetworkError(err) {
			t.Errorf("%d: %v, drawn %+v", id, err, draw)
		}
		found, countErr := direct.CountDocuments(t.Context(), bson.D{{Key: "_id", Value: int32(id)}})
		if countErr != nil || (found == 1) != (draw.Reset != dbproxy.Before) {
			t.Errorf("%d: %d documents, %v, drawn %+v", id, found, countErr, draw)
		}
		want.Commands++
		switch draw.Reset {
		case dbproxy.Before:
			want.ResetsBefore++
		case dbproxy.After:
			want.ResetsAfter++
		}
		failed[id] = err != nil
	}
	if got := p.Stats(); got != want || want.ResetsBefore == 0 || want.ResetsAfter == 0 {
		t.Errorf("%+v, want %+v", got, want)
	}
	for attempt := 2; len(failed) > 0; attempt++ {
		for id, again := range failed {
			draw := link.Draw(wire.Message(update(t, 0, int32(id))).Key(), attempt)
			if again && (upsert(t.Context(), through(), id) != nil) != (draw.Reset != dbproxy.NoReset) {
				t.Errorf("%d, attempt %d: drawn %+v", id, attempt, draw)
			}
			if !again || draw.Reset == dbproxy.NoReset {
				delete(failed, id)
			}
		}
	}
	if got, err := direct.CountDocuments(t.Context(), bson.D{}); err != nil || got != n {
		t.Errorf("%d documents, %v, want %d", got, err, n)
	}
}

func upsert(ctx context.Context, c *driver.Collection, id int) error {
	doc := bson.D{{Key: "_id", Value: int32(id)}, {Key: "value", Value: id}}
	_, err := c.ReplaceOne(ctx, doc[:1], doc, options.Replace().SetUpsert(true))
	return err
}
