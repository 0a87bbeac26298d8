// Package calllog is the domain of the report of 2017: the calls of a phone
// number, or of a range of dates, fetched over HTTP and kept in MongoDB.
// [HTTPFetcher] and [MongoWriter] are the two ends of a pipeline of them.
package calllog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json" // encoding/json/v2 to be, which takes less CPU time than encoding/json
)

// Item is what one request asks for: its arguments, joined by "/". It is also
// the key of what comes back.
type Item string

// NewItem joins arguments; none of them may contain a "/".
func NewItem(args ...string) Item { return Item(strings.Join(args, "/")) }

// Args are the arguments.
func (i Item) Args() []string { return strings.Split(string(i), "/") }

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

// Document is what is stored: all records of an item, or one of them.
type Document struct {
	// ID is the item, or item#seq where each record is a document.
	ID      string   `bson:"_id"`
	Item    string   `bson:"item"`
	Seq     int      `bson:"seq"`
	Records []Record `bson:"records"`
}

// AnswerError is an answer that cannot be used.
type AnswerError struct {
	// Kind is truncated, too_large, decode or mismatch (another item's answer).
	Kind string
	Err  error
}

// Error is the text of the cause.
func (e *AnswerError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *AnswerError) Unwrap() error { return e.Err }

// ErrorType is the kind with http_ before it.
func (e *AnswerError) ErrorType() string { return "http_" + e.Kind }

// Decode makes documents of the answer to a request for item: one with all
// records, or one a record. An answer that is not whole or says that it is
// another item's is an *AnswerError; one that does not say whose it is, is taken.
func Decode(item Item, body []byte, perRecord bool) ([]Document, error) {
	var answer struct {
		Key     string   `json:"key"`
		Records []Record `json:"records"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, &AnswerError{"decode", fmt.Errorf("decode %d bytes: %w", len(body), err)}
	}
	if answer.Key == "" {
		answer.Key = string(item)
	}
	if answer.Key != string(item) {
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
