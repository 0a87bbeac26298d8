package experiment

import "time"

// estimator corrects the plan's estimates by what the ended trials took.
type estimator struct {
	ahead            time.Duration // estimates of the trials that have not ended
	estimated, taken time.Duration // of those that have
}

func newEstimator(todo []PlannedTrial) *estimator { return &estimator{ahead: EstimateDuration(todo)} }

func (e *estimator) ended(estimate, took time.Duration) {
	e.ahead -= estimate
	e.estimated += estimate
	e.taken += took
}

func (e *estimator) left() time.Duration {
	if e.estimated == 0 {
		return e.ahead
	}
	return time.Duration(float64(e.ahead) * float64(e.taken) / float64(e.estimated))
}
