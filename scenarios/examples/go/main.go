// Command go is a program for Floodgate: it fetches items from the upstream and writes
// them to MongoDB. Scenario: sut: {command: [./report]}. It uses package client of
// Floodgate's module, which speaks the protocol ("floodgate help protocol"):
//
//	go mod init report && go mod edit -replace floodgate=/path/to/floodgate
//	go mod tidy && go build -o report
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/bench/sut/client"
)

func main() { client.Main(client.Each(open)) }

// open opens the clients, and returns what processes one item and what closes them.
func open(s client.Spec) (client.Func, client.Close, error) {
	upstream := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: s.Variant.Limit}}
	database, err := mongo.Connect(options.Client().ApplyURI(s.Database.URI))
	if err != nil {
		return nil, nil, err
	}
	collection := database.Database(s.Database.Name).Collection(s.Database.Collection)
	process := func(ctx context.Context, item []string) error {
		to, err := url.JoinPath(s.Upstream.URL, append([]string{"items"}, item...)...)
		if err != nil {
			return err
		}
		answer, err := upstream.Get(to)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		var body struct{ Records []any }
		if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
			return fmt.Errorf("%s: %w", answer.Status, err)
		}
		key := strings.Join(item, "/")
		document := bson.M{"item": key, "seq": 0, "records": body.Records}
		_, err = collection.ReplaceOne(ctx, bson.M{"_id": key}, document, options.Replace().SetUpsert(true))
		return err
	}
	return process, func(ctx context.Context) error {
		upstream.CloseIdleConnections()
		return database.Disconnect(ctx)
	}, nil
}
