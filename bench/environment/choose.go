package environment

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"floodgate/bench/container"
)

// Choose says what the environment of no name is: containers, and their
// engine, where one answers, our images can be made of the executable, and the
// database's image is present or can be pulled; else embedded, and no engine.
// why is for people and records.
func Choose(ctx context.Context, executable, mongoImage string) (engine *container.Engine, why string) {
	engine, err := container.Connect(ctx)
	if err != nil {
		return nil, reason(err)
	}
	if err := engine.CanBuild(executable); err != nil {
		return nil, reason(errors.Join(err, engine.Close()))
	}
	if mongoImage != OwnImage {
		if err := engine.Available(ctx, mongoImage); err != nil {
			return nil, reason(errors.Join(err, engine.Close()))
		}
	}
	return engine, fmt.Sprintf("%s answers and image %s is at hand", engine.Version(), mongoImage)
}

// Embedded returns the options of an embedded environment, to be started in place
// of one of containers that failed to start with err. Its engine stays where the
// caller starts containers of its own.
func (o Options) Embedded(err error, keepEngine bool) Options {
	o.Kind, o.Chosen = Embedded, "containers cannot be used here: "+reason(err)
	if !keepEngine {
		o.Engine = nil
	}
	return o
}

// maxReason bounds the text of an error in a reason, in bytes.
const maxReason = 200

// reason is what an error says, in one line.
func reason(err error) string {
	var unusable *container.UnusableError
	if errors.As(err, &unusable) {
		return unusable.Reason
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}
