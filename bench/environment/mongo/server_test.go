package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/bench/environment/mongo"
)

// serve starts a server with a data folder of the test's and a client of it.
func serve(t testing.TB, opts mongo.Options, pool uint64) (*mongo.Server, *driver.Database) {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	s, err := mongo.Serve(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, connect(t, s.URI(), pool).Database("test")
}

func connect(t testing.TB, uri string, pool uint64) *driver.Client {
	t.Helper()
	c, err := driver.Connect(options.Client().ApplyURI(uri).SetMaxPoolSize(pool).SetMaxConnecting(20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(context.Background()) })
	return c
}

func upsert(c *driver.Collection, id string, value int) error {
	_, err := c.ReplaceOne(context.Background(), bson.D{{Key: "_id", Value: id}},
		bson.D{{Key: "_id", Value: id}, {Key: "value", Value: value}}, options.Replace().SetUpsert(true))
	return err
}

// ids reads all documents and counts how often each _id is there.
func ids(t testing.TB, c *driver.Collection) map[string]int {
	t.Helper()
	cursor, err := c.Find(context.Background(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var docs []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(context.Background(), &docs); err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, d := range docs {
		found[d.ID]++
	}
	return found
}

// each calls f for 0 ≤ i < n from so many goroutines, and joins the errors.
func each(n, goroutines int, f func(i int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, n)
	for range goroutines {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = f(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// plan is SQLite's plan for finding one _id.
func plan(t testing.TB, c *driver.Collection) string {
	t.Helper()
	var out struct {
		QueryPlanner struct {
			Plan []string `bson:"Plan"`
		} `bson:"queryPlanner"`
	}
	err := c.Database().RunCommand(context.Background(), bson.D{{Key: "explain", Value: bson.D{
		{Key: "find", Value: c.Name()}, {Key: "filter", Value: bson.D{{Key: "_id", Value: "x"}}},
	}}}).Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out.QueryPlanner.Plan, "; ")
}

func TestPlan(t *testing.T) {
	for _, without := range []bool{false, true} {
		_, db := serve(t, mongo.Options{NoIndex: without}, 10)
		if err := upsert(db.Collection("a"), "x", 1); err != nil {
			t.Fatal(err)
		}
		t.Log(plan(t, db.Collection("a")))
	}
}

func TestConcurrent(t *testing.T) {
	for _, n := range []int{1, 10, 100, 300} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			_, db := serve(t, mongo.Options{}, uint64(n))
			c := db.Collection("a")
			upsert(c, "warm", 1)
			err := each(3000, n, func(i int) error { return upsert(c, fmt.Sprint(i), i) })
			if err != nil {
				t.Error(strings.Count(err.Error(), "\n"), err.Error()[:300])
			}
			t.Log(len(ids(t, c)))
		})
	}
}
