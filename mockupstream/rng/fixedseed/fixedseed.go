// Package fixedseed makes property tests draw the same values in every run, so
// that whether the tests pass does not depend on luck. A test file imports it
// for its effect:
//
//	import _ "floodgate/mockupstream/rng/fixedseed"
//
// The environment variable RAPID_SEED and the flag -rapid.seed choose other
// values; RAPID_SEED=0 draws new ones in each run, to look for new cases.
package fixedseed

import (
	"flag"
	"os"

	_ "pgregory.net/rapid" // defines the flag
)

func init() {
	if _, chosen := os.LookupEnv("RAPID_SEED"); chosen {
		return // rapid has read it
	}
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err)
	}
}
