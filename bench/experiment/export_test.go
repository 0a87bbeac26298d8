package experiment

import (
	"context"

	"floodgate/bench/load"
)

// AttackWith has another function than load.Attack send the reports of a service.
func (r *Trials) AttackWith(attack func(context.Context, load.Options) error) { r.attack = attack }

// IgnoreLag believes trials of a service however late their reports were begun.
func (r *Trials) IgnoreLag() { r.ignoreLag = true }
