package results

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"
)

// NewID returns a name for a run that started at now, such as
// "20261122-214015.123-7f3a9c": names sort by time (UTC), runs of the same
// millisecond differ in the random suffix, and every file system takes it.
func NewID(now time.Time) string {
	var suffix [3]byte
	rand.Read(suffix[:]) // never fails
	return now.UTC().Format("20060102-150405.000") + "-" + hex.EncodeToString(suffix[:])
}

// checkID refuses names that are no plain file name on some system, and with
// them every path that leads out of the root.
func checkID(id string) error {
	if ok, _ := regexp.MatchString(`^[0-9A-Za-z][0-9A-Za-z._-]{0,127}$`, id); !ok {
		return fmt.Errorf("run id %q: allowed are letters, digits, '.', '_' and '-', first a letter or digit, at most 128", id)
	}
	return nil
}
