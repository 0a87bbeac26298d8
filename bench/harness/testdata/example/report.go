// Package callreport is a program to measure: it fetches the calls of a phone number
// over HTTP and stores them in MongoDB.
package callreport

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Reporter fetches with Client from Upstream and writes to Calls.
type Reporter struct {
	Client   *http.Client
	Upstream string
	Calls    *mongo.Collection
}

// Document is stored for each phone number.
type Document struct {
	Phone   string           `bson:"_id"`
	Records []map[string]any `bson:"records"`
}

// Report fetches and stores the calls of a phone number.
func (r *Reporter) Report(ctx context.Context, phone string) error {
	doc, err := r.Fetch(ctx, phone)
	if err != nil {
		return err
	}
	return r.Store(ctx, doc)
}

// Fetch fetches the calls of a phone number.
func (r *Reporter) Fetch(ctx context.Context, phone string) (Document, error) {
	doc := Document{Phone: phone}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Upstream+"/items/"+phone, nil)
	if err != nil {
		return doc, err
	}
	response, err := r.Client.Do(request)
	if err != nil {
		return doc, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return doc, fmt.Errorf("fetch %s: %s", phone, response.Status)
	}
	var answer struct{ Records []map[string]any }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return doc, fmt.Errorf("fetch %s: %w", phone, err)
	}
	doc.Records = answer.Records
	return doc, nil
}

// Store stores a document in place of an earlier one.
func (r *Reporter) Store(ctx context.Context, doc Document) error {
	_, err := r.Calls.ReplaceOne(ctx, bson.M{"_id": doc.Phone}, doc, options.Replace().SetUpsert(true))
	return err
}
