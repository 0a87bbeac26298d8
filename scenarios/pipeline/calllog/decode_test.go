package calllog_test

import (
	"testing"

	"floodgate/scenarios/pipeline/calllog"
)

// An external upstream may omit the key of an answer, but a wrong key is an error.
func TestDecodeKey(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"records":[]}`:                 true,
		`{"key":"+1555/7","records":[]}`: true,
		`{"key":"other","records":[]}`:   false,
	} {
		docs, err := calllog.Decode(calllog.NewItem("+1555", "7"), []byte(body), false)
		if (err == nil) != ok || ok && (len(docs) != 1 || docs[0].ID != "+1555/7") {
			t.Errorf("%s: %+v, %v", body, docs, err)
		}
	}
}
