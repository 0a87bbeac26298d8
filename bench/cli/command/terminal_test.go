package command

import "testing"

// A pipe has the width in COLUMNS, if that is a positive number.
func TestColumns(t *testing.T) {
	for value, want := range map[string]int{"": 0, "120": 120, "1": 1, "0": 0, "-5": 0, "wide": 0, "80x24": 0, "99999999999999999999": 0} {
		got := columns(func(name string) string {
			if name != "COLUMNS" {
				t.Errorf("asked for %s", name)
			}
			return value
		})
		if got != want {
			t.Errorf("COLUMNS=%q: %d, want %d", value, got, want)
		}
	}
}
