package environment

import (
	"strings"
	"testing"

	"floodgate/bench/environment/target"
	"floodgate/results"
)

// A record notes which options of the connection string its own pipeline does
// not use; a program of the user's gets the string as it is.
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
