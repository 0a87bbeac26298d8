package generator

import "time"

// PID returns that of the process of a generator.
func (g *Group) PID(generator int) int { return g.remotes[generator-1].process.PID() }

// AnswerWithin bounds the wait for an answer of a generator.
func (g *Group) AnswerWithin(d time.Duration) {
	for _, r := range g.remotes {
		r.answer = d
	}
}
