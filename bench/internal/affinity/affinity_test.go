package affinity_test

import (
	"testing"

	"floodgate/bench/internal/affinity"
)

func TestParse(t *testing.T) {
	for list, want := range map[string]string{"0": "0", "0-3": "0-3", "5,0-2\n": "0-2,5", "1,0,1": "0-1", "2,4,6-7": "2,4,6-7"} {
		if got, err := affinity.Parse(list); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v, want %s", list, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"0", "0-3,7", "", "3-1", "-", "0-99999999999", "1,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		c, err := affinity.Parse(list)
		if err != nil {
			return
		}
		if again, err := affinity.Parse(c.String()); err != nil || again.String() != c.String() {
			t.Errorf("%q: %v is read as %v, %v", list, c, again, err)
		}
	})
}
