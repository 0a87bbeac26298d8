// Package calllog implements the domain of the 2017 report: the calls of a phone number,
// or of a range of dates, fetched over HTTP and stored in MongoDB. [HTTPFetcher] and
// [MongoWriter] are the two ends of a pipeline:
//
//	fetcher, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: "http://127.0.0.1:8080"})
//	…
//	writer, err := calllog.NewMongoWriter(calllog.MongoOptions{URI: "mongodb://127.0.0.1", Database: "report", Collection: "calls"})
//	…
//	p := &pipeline.Pipeline[calllog.Item, calllog.Document]{
//		Fetcher: fetcher, Writer: writer, Strategy: pipeline.Bounded(10),
//	}
//	_, err = p.Run(ctx, []calllog.Item{calllog.NewItem("+15550001")})
package calllog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json" // the future encoding/json/v2, which takes less CPU time than encoding/json
	"go.mongodb.org/mongo-driver/v2/bson"
)

// Item identifies the subject of one request: its arguments, joined by "/". A "/" in
// an argument is a NUL character in the Item, so that arguments can be told apart.
type Item string

// slash stands for a "/" in an argument.
const slash = "\x00"

// NewItem returns the item with the arguments, which must not contain NUL characters.
func NewItem(args ...string) Item {
	if len(args) == 1 {
		return Item(strings.ReplaceAll(args[0], "/", slash))
	}
	joined := make([]string, len(args))
	for i, arg := range args {
		joined[i] = strings.ReplaceAll(arg, "/", slash)
	}
	return Item(strings.Join(joined, "/"))
}

// Args returns the arguments.
func (i Item) Args() []string {
	args := strings.Split(string(i), "/")
	for n := range args {
		args[n] = strings.ReplaceAll(args[n], slash, "/")
	}
	return args
}

// String returns the key of the item's answer and document: its arguments, joined
// by "/".
func (i Item) String() string { return strings.ReplaceAll(string(i), slash, "/") }

// Record is one call.
type Record struct {
	ID        string `json:"id" bson:"id"`
	At        string `json:"at" bson:"at"` // RFC 3339, as the upstream wrote it
	From      string `json:"from" bson:"from"`
	To        string `json:"to" bson:"to"`
	Seconds   int    `json:"seconds" bson:"seconds"`
	Direction string `json:"direction" bson:"direction"`
	Cell      string `json:"cell" bson:"cell"`
}

// Document is a stored document: all records of an item, or one of them.
type Document struct {
	// ID is the item, or item#seq if each record is a document.
	ID      string   `bson:"_id"`
	Item    string   `bson:"item"`
	Seq     int      `bson:"seq"`
	Records []Record `bson:"records"`
	// Own holds the records of another API, in place of Records; see [DecodeRecords].
	Own bson.A `bson:"-"`
}

// encode returns the document as BSON.
func (d *Document) encode() (bson.Raw, error) {
	if d.Own == nil {
		return bson.Marshal(d)
	}
	return bson.Marshal(bson.D{{Key: "_id", Value: d.ID}, {Key: "item", Value: d.Item}, {Key: "seq", Value: d.Seq}, {Key: "records", Value: d.Own}})
}

// AnswerError is an invalid answer.
type AnswerError struct {
	// Kind is truncated, too_large, decode or mismatch (another item's answer).
	Kind string
	Err  error
}

// Error returns the text of the cause.
func (e *AnswerError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *AnswerError) Unwrap() error { return e.Err }

// ErrorType returns the kind with the prefix http_.
func (e *AnswerError) ErrorType() string { return "http_" + e.Kind }

// Decode decodes the answer to a request for item into documents: one with all
// records, or one for each record. An incomplete answer, or one for another item, is
// an *AnswerError. An answer without a key is accepted.
func Decode(item Item, body []byte, perRecord bool) ([]Document, error) {
	var answer struct {
		Key     string   `json:"key"`
		Records []Record `json:"records"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, &AnswerError{"decode", fmt.Errorf("decode %d bytes: %w", len(body), err)}
	}
	key := item.String()
	if answer.Key == "" {
		answer.Key = key
	}
	if answer.Key != key {
		return nil, &AnswerError{"mismatch", fmt.Errorf("answer is for %q, not for %q", answer.Key, item)}
	}
	if answer.Records == nil {
		return nil, &AnswerError{"decode", fmt.Errorf("answer has no records field")}
	}
	if !perRecord {
		return []Document{{ID: answer.Key, Item: answer.Key, Records: answer.Records}}, nil
	}
	docs := make([]Document, len(answer.Records))
	for seq := range docs {
		docs[seq] = Document{
			ID: answer.Key + "#" + strconv.Itoa(seq), Item: answer.Key, Seq: seq,
			Records: answer.Records[seq : seq+1 : seq+1],
		}
	}
	return docs, nil
}
