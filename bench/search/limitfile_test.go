package search_test

import (
	"strconv"
	"strings"
	"testing"

	"floodgate/bench/search"
	"floodgate/scenarios"
)

// A search of a limit tries no more items than a file has.
func TestLimitBoundsOfAFile(t *testing.T) {
	s, err := scenarios.Builtin("report")
	if err != nil {
		t.Fatal(err)
	}
	s.Items.Kind, s.Items.File = "", "mine.csv"
	for _, c := range []struct {
		items, most int
		want        int // the highest limit; 0 means an error
		err         string
	}{
		{59, 0, 0, "mine.csv has 59 items, and a limit search needs 30 for each of at least 2 slots"},
		{60, 0, 2, ""},
		{90, 4, 0, "--max-limit 4 needs 120 items, and mine.csv has 90; use at most 3"},
		{900, 0, 30, ""},
		{900, 8, 8, ""},
	} {
		s.Items.Args = nil
		for i := range c.items {
			s.Items.Args = append(s.Items.Args, []string{strconv.Itoa(i)})
		}
		b, err := search.NewLimitBounds(s, search.LimitValues{Most: c.most})
		switch {
		case (err != nil) != (c.err != ""), err != nil && !strings.Contains(err.Error(), c.err):
			t.Errorf("%d items: %v, want %q", c.items, err, c.err)
		case err == nil && (b.Max != c.want || b.MinItems > c.items || b.Max*b.PerSlot > c.items):
			t.Errorf("%d items: limits up to %d with %d items; want %d", c.items, b.Max, b.MinItems, c.want)
		}
		if err == nil {
			if _, err := search.EstimateLimits(s, b); err != nil {
				t.Error(err)
			}
		}
	}
}
