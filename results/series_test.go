package results_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"floodgate/results"
)

func TestSeries(t *testing.T) {
	timeout := results.ErrorColumn("timed out")
	var s results.Series
	s.Append(100*time.Millisecond, map[results.Column]int64{results.ColumnArrived: 3, results.ColumnReportsInFlight: 3})
	s.Append(200*time.Millisecond, map[results.Column]int64{results.ColumnArrived: 7, timeout: 1})
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"at_ms":[100,200]`, `"arrived":[3,7]`, `"reports_in_flight":[3,0]`, `"errors_timed_out":[0,1]`, `"rss_bytes":[0,0]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	var back results.Series
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	last, ok := back.Last(timeout)
	if !ok || last != 1 || len(back.Columns) != len(results.Columns())+1 || back.Value(results.ColumnArrived, 1) != 7 || back.Time(1) != 200*time.Millisecond {
		t.Errorf("read back as %+v", back)
	}
	if _, ok := back.Last(results.ErrorColumn("reset")); ok || back.Known(results.ColumnArrived, 2) || back.Value(results.ColumnArrived, 2) != 0 {
		t.Error("a value that is not there is known")
	}
}

// A misspelled column is refused, in a record and as a name.
func TestUnknownColumnIsRefused(t *testing.T) {
	var s results.Series
	err := json.Unmarshal([]byte(`{"at_ms":[1],"columns":{"arived":[1]}}`), &s)
	if err == nil || !strings.Contains(err.Error(), `unknown column "arived"`) {
		t.Errorf("error %v", err)
	}
	for _, c := range results.Columns() {
		if parsed, err := results.ParseColumn(c.String()); err != nil || parsed != c {
			t.Errorf("%s is parsed as %v: %v", c, parsed, err)
		}
	}
	for side, want := range map[string]string{"upstream": "emfile_upstream", "mongo": "emfile_mongo", "accept": "emfile_accept"} {
		if got := results.RefusedAt(side).String(); got != want {
			t.Errorf("%s: column %s, want %s", side, got, want)
		}
	}
}
