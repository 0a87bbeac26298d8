package environment

import (
	"strings"
	"testing"

	"floodgate/bench/environment/target"
	"floodgate/results"
)

// The record notes the options of the connection string that the built-in pipeline does
// not use. A user's own program gets the string unchanged, so that nothing is noted.
func TestOverriddenOptionsAreNoted(t *testing.T) {
	m, err := target.ParseMongo("mongodb://h/?maxPoolSize=20")
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []bool{false, true} {
		var d results.Environment
		external{&Environment{options: Options{Mongo: m, OwnProgram: own}}}.describe(&d, nil, nil)
		if noted := strings.Contains(strings.Join(d.Notes, "\n"), "maxPoolSize=20 of the connection string is ignored"); noted == own {
			t.Errorf("a program of the user's: %v, notes %q", own, d.Notes)
		}
	}
}
