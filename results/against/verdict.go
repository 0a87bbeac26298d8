// Package against judges two programs that ran in turn: is B worse than A?
//
// [JudgeRuns] takes the trials of both sides, [JudgePairs] the measurements of
// two commands. Times are judged by looks that were fixed beforehand
// ([stats.Looks]); errors, lost documents and descriptors by what they are: one
// more is one more, and there is no test. Both are pure functions.
package against

// Side is one of the two programs.
type Side struct {
	// Name as it was asked for: a git reference, "working tree", or a command.
	Name string `json:"name"`
	// Revision is the commit; Modified says that the files were not as in it.
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
}
