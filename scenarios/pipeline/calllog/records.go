package calllog

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/mockupstream"
)

// DecodeRecords decodes the answer of any API to a request for item into documents, as
// [Decode] does. The list of records is at a path; see [mockupstream.Records]. Records
// are any JSON and are stored as they are: objects with their fields in order, whole
// numbers of up to 64 bits as integers and other numbers as doubles. An answer without
// the path, or one that BSON cannot represent, is an *AnswerError.
func DecodeRecords(item Item, body []byte, path string, perRecord bool) ([]Document, error) {
	list, err := mockupstream.Records(body, path)
	if err != nil {
		return nil, &AnswerError{"decode", err}
	}
	value, err := toBSON(jsontext.NewDecoder(bytes.NewReader(list)))
	if err != nil {
		return nil, &AnswerError{"decode", fmt.Errorf("records at %q: %w", path, err)}
	}
	records, key := value.(bson.A), item.String()
	if !perRecord {
		return []Document{{ID: key, Item: key, Own: records}}, nil
	}
	docs := make([]Document, len(records))
	for seq := range docs {
		docs[seq] = Document{ID: key + "#" + strconv.Itoa(seq), Item: key, Seq: seq, Own: records[seq : seq+1 : seq+1]}
	}
	return docs, nil
}

// toBSON converts the next JSON value.
func toBSON(d *jsontext.Decoder) (any, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		object := bson.D{}
		for d.PeekKind() == '"' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String() // the token is valid only until the next one is read
			if strings.ContainsRune(key, 0) {
				return nil, errors.New("a name of a field has a NUL character, which MongoDB cannot store")
			}
			value, err := toBSON(d)
			if err != nil {
				return nil, err
			}
			object = append(object, bson.E{Key: key, Value: value})
		}
		_, err := d.ReadToken()
		return object, err
	case '[':
		list := bson.A{}
		for d.PeekKind() != ']' {
			value, err := toBSON(d)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := d.ReadToken()
		return list, err
	case '"':
		return token.String(), nil
	case '0':
		return number(token.String())
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}

// number converts a number: to an int32 or int64 if it is whole and fits, or else to a
// double.
func number(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n >= math.MinInt32 && n <= math.MaxInt32 {
			return int32(n), nil
		}
		return n, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("the number %.40s is too large", text)
	}
	return v, nil
}

// SameRecords reports whether stored records are those of documents of [DecodeRecords].
// Numbers are the same if their values are, and objects if they have the same fields,
// whatever the order: other programs may store them in another form.
func SameRecords(stored bson.RawValue, want bson.A) (bool, error) {
	kind, data, err := bson.MarshalValue(want)
	if err != nil {
		return false, fmt.Errorf("encode records: %w", err)
	}
	return sameValue(stored, bson.RawValue{Type: kind, Value: data}), nil
}

func sameValue(a, b bson.RawValue) bool {
	if x, ok := asNumber(a); ok {
		y, ok := asNumber(b)
		return ok && x == y
	}
	if a.Type != b.Type {
		return false
	}
	if a.Type != bson.TypeEmbeddedDocument && a.Type != bson.TypeArray {
		return bytes.Equal(a.Value, b.Value)
	}
	x, errX := bson.Raw(a.Value).Elements()
	y, errY := bson.Raw(b.Value).Elements()
	if errX != nil || errY != nil || len(x) != len(y) {
		return false
	}
	others := make(map[string]bson.RawValue, len(y))
	for _, e := range y {
		others[e.Key()] = e.Value()
	}
	for i, e := range x {
		other, ok := others[e.Key()]
		if a.Type == bson.TypeArray {
			other, ok = y[i].Value(), true
		}
		if !ok || !sameValue(e.Value(), other) {
			return false
		}
		delete(others, e.Key())
	}
	return true
}

// numeric is a number: whole where whole is set.
type numeric struct {
	whole bool
	n     int64
	f     float64
}

// asNumber returns a number in a form that does not depend on its type.
func asNumber(v bson.RawValue) (numeric, bool) {
	if n, ok := v.AsInt64OK(); ok && v.Type != bson.TypeDouble {
		return numeric{whole: true, n: n}, true
	}
	f, ok := v.DoubleOK()
	if ok && f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return numeric{whole: true, n: int64(f)}, true
	}
	return numeric{f: f}, ok
}
