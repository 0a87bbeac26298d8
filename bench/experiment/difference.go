package experiment

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/mockupstream"
	"floodgate/scenarios/pipeline/calllog"
)

// exemplify stores the difference of the first unexpected document as the example.
func (e *expectation) exemplify(raw bson.Raw) (err error) {
	if e.example == "" {
		e.example, err = e.difference(raw)
	}
	return err
}

// difference describes the first field in which a document differs from the expected one,
// with both values: item: want the string "a/b", got an array. It is empty if there is none.
func (e *expectation) difference(raw bson.Raw) (string, error) {
	id, _ := raw.Lookup("_id").StringValueOK()
	item, isText := raw.Lookup("item").StringValueOK()
	if !isText {
		want := "a string"
		if e.documents[id] > 0 {
			want = describe(id)
		}
		return fmt.Sprintf("item: want %s, got %s", want, describeField(raw, "item")), nil
	}
	n, known := e.documents[item]
	if !known {
		return fmt.Sprintf("item: want an item of the trial, got %s", describe(item)), nil
	}
	seq, isNumber := raw.Lookup("seq").AsInt64OK()
	if _, err := raw.LookupErr("seq"); err == nil && (!isNumber || seq < 0 || seq >= int64(n)) {
		want := "0"
		if n > 1 {
			want = fmt.Sprintf("0 to %d", n-1)
		}
		return fmt.Sprintf("seq of %q: want %s, got %s", item, want, describeField(raw, "seq")), nil
	}
	records, isList := raw.Lookup("records").ArrayOK()
	if e.anyContent || !isList {
		return fmt.Sprintf("records of %q: want an array, got %s", item, describeField(raw, "records")), nil
	}
	want, err := calllog.Decode(calllog.Item(item), mockupstream.Answer(e.profile, e.seed, item), e.perRecord)
	if err != nil {
		return "", fmt.Errorf("answer of %q: %w", item, err)
	}
	return recordsDiffer(item, want[seq].Records, records)
}

// recordsDiffer describes the first difference between records.
func recordsDiffer(item string, want []calllog.Record, got bson.RawArray) (string, error) {
	values, err := got.Values()
	if err != nil {
		return "", fmt.Errorf("records of %q: %w", item, err)
	}
	if len(values) != len(want) {
		return fmt.Sprintf("records of %q: want %d, got %d", item, len(want), len(values)), nil
	}
	for i, r := range want {
		at := fmt.Sprintf("records[%d]", i)
		have, isDocument := values[i].DocumentOK()
		if !isDocument {
			return fmt.Sprintf("%s of %q: want a document, got %s", at, item, describeValue(values[i])), nil
		}
		text, err := bson.Marshal(r)
		if err != nil {
			return "", fmt.Errorf("records of %q: %w", item, err)
		}
		fields, err := bson.Raw(text).Elements()
		if err != nil {
			return "", fmt.Errorf("records of %q: %w", item, err)
		}
		for _, f := range fields {
			wanted, found := describeValue(f.Value()), describeField(have, f.Key())
			if wanted != found {
				return fmt.Sprintf("%s.%s of %q: want %s, got %s", at, f.Key(), item, wanted, found), nil
			}
		}
	}
	return "", nil
}

// maxQuoted bounds a quoted value, in characters.
const maxQuoted = 60

func describe(text string) string { return fmt.Sprintf("the string %.*q", maxQuoted, text) }

func describeField(raw bson.Raw, name string) string {
	v, err := raw.LookupErr(name)
	if err != nil {
		return "no such field"
	}
	return describeValue(v)
}

// describeValue describes a value for a person: the string "a/b", an array, 3.
func describeValue(v bson.RawValue) string {
	if s, ok := v.StringValueOK(); ok {
		return describe(s)
	}
	if n, ok := v.AsInt64OK(); ok {
		return fmt.Sprint(n)
	}
	switch v.Type {
	case bson.TypeArray:
		return "an array"
	case bson.TypeEmbeddedDocument:
		return "a document"
	}
	return fmt.Sprintf("a value of type %s", v.Type)
}
