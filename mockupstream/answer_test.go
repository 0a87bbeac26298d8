package mockupstream_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"floodgate/mockupstream"
	_ "floodgate/mockupstream/rng/fixedseed"
	"pgregory.net/rapid"
)

type answer struct {
	Key     string
	Records []record
}

type record struct {
	ID, At, From, To string
	Seconds          int
	Direction, Cell  string
}

func decode(t interface{ Fatalf(string, ...any) }, body []byte) (a answer) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return a
}

func TestAnswer(t *testing.T) {
	p := mockupstream.Profile{Body: mockupstream.Body{Min: 1000, Max: 1000}}
	for key, year := range map[string]string{"+15550001": "2017", "2016-02-27/2016-03-01": "2016", "weird/2017": "2017"} {
		body := mockupstream.Answer(p, 1, key)
		if each := len(body) / 1000; each < 130 || each > 170 {
			t.Errorf("%s: %d bytes a record, want about 150", key, each)
		}
		a := decode(t, body)
		ids := map[string]bool{}
		for _, r := range a.Records {
			ids[r.ID] = true
			at, err := time.Parse(time.RFC3339, r.At)
			if err != nil || at.Format("2006") != year {
				t.Fatalf("%s: at %q: %v", key, r.At, err)
			}
			if day := r.At[5:10]; year == "2016" && (day < "02-27" || day > "03-01") {
				t.Errorf("%s: at %q", key, r.At)
			}
			number := map[string]string{"out": r.From, "in": r.To}[r.Direction]
			if key[0] == '+' && number != key || !strings.HasPrefix(number, "+1555") {
				t.Errorf("%s: a call %q from %s to %s", key, r.Direction, r.From, r.To)
			}
			if r.Seconds < 0 || r.Seconds >= 3600 || !strings.HasPrefix(r.Cell, "262-") {
				t.Errorf("%s: %+v", key, r)
			}
		}
		if a.Key != key || len(ids) != 1000 {
			t.Errorf("%s: key %q, %d records with IDs of their own", key, a.Key, len(ids))
		}
	}
}

func TestAnswerOfAnyKey(t *testing.T) {
	p := mockupstream.Profile{Body: mockupstream.Body{Min: 0, Max: 5}}
	rapid.Check(t, func(t *rapid.T) {
		key, seed := rapid.String().Draw(t, "key"), rapid.Uint64().Draw(t, "seed")
		body := mockupstream.Answer(p, seed, key)
		a := decode(t, body)
		if want := strings.ToValidUTF8(key, "\ufffd"); a.Key != want && a.Key != key {
			t.Fatalf("key %q, want %q", a.Key, want)
		}
		if want := p.Draw(seed, key, 3).Records; len(a.Records) != want {
			t.Fatalf("%d records, drawn %d", len(a.Records), want)
		}
		if !bytes.Equal(body, mockupstream.Answer(p, seed, key)) {
			t.Fatal("not the same twice")
		}
	})
}
