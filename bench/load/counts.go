package load

import "maps"

// Counts are how many requests of an attack there were, at one moment.
type Counts struct {
	// Due requests, those of them that have ended, and of these the successes.
	Due, Ended, OK int
	// Errors counts the other ended ones by type; nil: none.
	Errors map[string]int64
}

// Counts reads what was counted.
func (r *Recorder) Counts() Counts {
	c := Counts{Due: int(r.due), Ended: int(r.ended), OK: int(r.ok)}
	if len(r.errors) > 0 {
		c.Errors = maps.Clone(r.errors)
	}
	return c
}
