package environment

import "time"

// AnswerWithin sets the timeout for the answers of servers in Ensure, except at their
// start.
func (e *Environment) AnswerWithin(d time.Duration) { e.answerTimeout = d }

// PIDs returns the process IDs of the started children, by name.
func (e *Environment) PIDs() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	pids := map[string]int{}
	if e.upstream != nil {
		addPID(pids, upstreamName, e.upstream.server)
	}
	if e.mongo != nil {
		addPID(pids, mongoName, e.mongo.server)
	}
	if e.proxy != nil {
		pids[proxyName] = e.proxy.PID()
	}
	return pids
}

func addPID(pids map[string]int, name string, s server) {
	if l, ok := s.(local); ok {
		pids[name] = l.PID()
	}
}
