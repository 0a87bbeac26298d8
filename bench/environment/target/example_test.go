package target_test

import (
	"fmt"

	"floodgate/bench/environment/target"
)

// A connection string never shows its credentials, and a host other than this machine
// needs the user's permission.
func Example() {
	m, err := target.ParseMongo("mongodb://report:secret@db.example/calls")
	fmt.Println(m, err)
	p := target.Policy{Allowed: []string{"db.example"}}
	fmt.Println(p.Allows("db.example:27017"), p.Allows("other.example:27017"))
	// Output:
	// mongodb://***@db.example:27017/calls <nil>
	// true false
}
