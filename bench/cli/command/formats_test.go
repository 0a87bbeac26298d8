package command

import "testing"

// Every format of a run is described in the help.
func TestDescriptions(t *testing.T) {
	names := RunFormats.Names()
	for _, name := range names {
		if descriptions[name] == "" {
			t.Errorf("the format %s has no description", name)
		}
	}
	if len(names) != len(descriptions) {
		t.Errorf("%d formats, %d descriptions", len(names), len(descriptions))
	}
}
