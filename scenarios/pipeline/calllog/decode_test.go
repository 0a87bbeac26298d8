package calllog_test

import (
	"testing"

	"floodgate/scenarios/pipeline/calllog"
)

// An upstream that is not ours need not say whose answer it is; one that says it, must say the right one.
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
