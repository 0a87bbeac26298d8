package embedmongo

import (
	"crypto/rand"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// innerListener returns where FerretDB listens for the front: an abstract socket,
// which has no file and costs less than TCP.
func innerListener() ferretdb.ListenerConfig {
	return ferretdb.ListenerConfig{Unix: "@floodgate-mongo-" + rand.Text()}
}
