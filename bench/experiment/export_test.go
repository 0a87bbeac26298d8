package experiment

import (
	"context"

	"floodgate/bench/load"
)

// AttackWith replaces load.Attack as the function that sends the reports of a service.
func (r *Trials) AttackWith(attack func(context.Context, load.Options) error) { r.attack = attack }

// IgnoreLag accepts trials of a service however late their reports were started.
func (r *Trials) IgnoreLag() { r.ignoreLag = true }

// IgnoreSkew accepts trials of several hosts however far apart they started.
func (r *Trials) IgnoreSkew() { r.ignoreSkew = true }

// ItemArgs returns the arguments of the items that the trial processes.
func (t ScheduledTrial) ItemArgs() [][]string { return t.itemArgs() }

// DeclaredLimit returns the limit on the requests in flight of the hosts that run.
func (t ScheduledTrial) DeclaredLimit() int { return t.declaredLimit() }
