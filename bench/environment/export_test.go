package environment

import "time"

// AnswerWithin bounds the answer of a server to Ensure, but not its start.
func (e *Environment) AnswerWithin(d time.Duration) { e.answerTimeout = d }
