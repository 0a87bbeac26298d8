package scenarios_test

import (
	"math"
	"regexp"
	"testing"
	"time"

	"floodgate/scenarios"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var phone = regexp.MustCompile(`^\+1555[0-9]{7}$`)

func TestItemArgs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenarios.Scenario{
			Seed: rapid.Uint64().Draw(t, "seed"),
			Items: scenarios.Items{
				Kind:       rapid.SampledFrom([]string{"phone-numbers", "date-ranges"}).Draw(t, "kind"),
				Count:      rapid.IntRange(1, 500).Draw(t, "count"),
				Duplicates: float64(rapid.IntRange(0, 100).Draw(t, "percent")) / 100,
			},
		}
		args := s.ItemArgs()
		n := s.Items.Count
		if want := n + int(math.Ceil(math.Round(float64(n)*s.Items.Duplicates*100)/100)); len(args) != want {
			t.Fatalf("%d items; want %d", len(args), want)
		}
		seen := map[string]int{}
		for i, a := range args {
			if s.Items.Kind == "phone-numbers" && (len(a) != 1 || !phone.MatchString(a[0])) {
				t.Fatalf("item %d is %q", i, a)
			}
			seen[a[0]]++
			if i < n && seen[a[0]] > 1 {
				t.Fatalf("item %d repeats %q", i, a)
			}
			if i >= n && (seen[a[0]] != 2) {
				t.Fatalf("item %d, %q, is there %d times; want a first repetition", i, a, seen[a[0]])
			}
		}
		if diff := cmp.Diff(args, s.ItemArgs()); diff != "" {
			t.Fatal("asked again:", diff)
		}
	})
}

func TestItemArgsDependOnTheSeed(t *testing.T) {
	a := scenarios.Scenario{Seed: 1, Items: scenarios.Items{Kind: "phone-numbers", Count: 20}}
	b := scenarios.Scenario{Seed: 2, Items: a.Items}
	if cmp.Equal(a.ItemArgs(), b.ItemArgs()) {
		t.Error("two seeds, the same numbers")
	}
}

func TestDateRangesAreConsecutiveWeeks(t *testing.T) {
	s := scenarios.Scenario{Items: scenarios.Items{Kind: "date-ranges", Count: 104}}
	args := s.ItemArgs()
	if diff := cmp.Diff([][]string{{"2017-01-02", "2017-01-08"}, {"2017-01-09", "2017-01-15"}}, args[:2]); diff != "" {
		t.Error(diff)
	}
	for i, a := range args {
		from, err := time.Parse(time.DateOnly, a[0])
		if err != nil {
			t.Fatal(err)
		}
		to, err := time.Parse(time.DateOnly, a[1])
		if err != nil {
			t.Fatal(err)
		}
		if from.Weekday() != time.Monday || to.Sub(from) != 6*24*time.Hour {
			t.Errorf("week %d is %q", i, a)
		}
	}
}
