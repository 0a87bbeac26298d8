package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"floodgate/bench/container"
	"floodgate/bench/environment/child"
	"floodgate/bench/environment/target"
)

// reaperName is the name of the child that cleans up when this process ends without
// Close, however it ends.
//
// It replaces the reaper of Testcontainers, a container that would have to be pulled
// from a registry, has access to the engine's socket and listens on every interface of
// the machine.
const reaperName = "reaper"

// Timeouts of the reaper, in total and for each of its duties.
const (
	reapTimeout = 40 * time.Second
	dutyTimeout = 15 * time.Second
)

// duties lists the duties of the reaper, or dismisses it.
type duties struct {
	Session  string    `json:"session,omitempty"` // containers to remove
	Drop     *dropping `json:"drop,omitempty"`    // a database to drop
	Released bool      `json:"released,omitempty"`
}

// dropping is a database to drop on an external server.
type dropping struct {
	URI      string        `json:"uri"`
	Database string        `json:"database"`
	Policy   target.Policy `json:"policy"`
}

// startReaper starts the reaper if it has duties.
func (e *Environment) startReaper(ctx context.Context) error {
	var w duties
	if e.options.Engine != nil {
		w.Session = e.options.Engine.Session()
	}
	if e.options.Mongo != nil {
		w.Drop = &dropping{URI: e.options.Mongo.URI(), Database: e.options.Database, Policy: e.options.Policy}
	}
	if w == (duties{}) {
		return nil
	}
	p, err := e.spawn(ctx, reaperName, nil, func(ctx context.Context, p *child.Process) error { return p.Call(ctx, w) })
	e.reaper = p
	return err
}

// dismissReaper releases the reaper from its duties, which are done or have just failed
// with an error that the caller reports.
func (e *Environment) dismissReaper() error {
	if e.reaper == nil {
		return nil
	}
	p := e.reaper
	e.reaper = nil
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	err := p.Call(ctx, duties{Released: true})
	return errors.Join(err, p.Stop(stopGrace))
}

// reap is the reaper's main function.
func (c *helper) reap(ctx context.Context, args []string) error {
	if err := c.flags(reaperName).Parse(args); err != nil {
		return err
	}
	var last duties
	err := c.serve(ctx, child.Ready{Version: "floodgate reaper"}, nil, func(line []byte) (any, error) {
		var w duties
		if err := json.Unmarshal(line, &w); err != nil {
			return nil, fmt.Errorf("read the clean-up instructions: %w", err)
		}
		if w.Released {
			w = duties{}
		}
		last = w
		return nil, nil
	})
	c.exitTimer.Reset(reapTimeout)
	return errors.Join(err, last.execute())
}

func (w duties) execute() error {
	var errs []error
	if w.Session != "" {
		errs = append(errs, removeSession(w.Session))
	}
	if w.Drop != nil {
		errs = append(errs, w.Drop.execute())
	}
	return errors.Join(errs...)
}

func removeSession(session string) error {
	ctx, cancel := context.WithTimeout(context.Background(), dutyTimeout)
	defer cancel()
	engine, err := container.Connect(ctx)
	if err != nil {
		return err
	}
	return errors.Join(engine.RemoveSession(ctx, session), engine.Close())
}

func (d *dropping) execute() error {
	ctx, cancel := context.WithTimeout(context.Background(), dutyTimeout)
	defer cancel()
	client, err := connectWith(ctx, d.URI, d.Policy)
	if err != nil {
		return errors.New("connect to the database to drop the written data: it did not answer")
	}
	defer disconnect(client)
	return client.Database(d.Database).Drop(ctx)
}
