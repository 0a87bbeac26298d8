//go:build !linux

package embedmongo

import "github.com/FerretDB/FerretDB/ferretdb"

// innerListener returns where FerretDB listens for the front.
func innerListener() ferretdb.ListenerConfig {
	return ferretdb.ListenerConfig{TCP: "127.0.0.1:0"}
}
