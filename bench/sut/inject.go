package sut

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
)

// Faults is what the built-in SUT does wrong on purpose, so that a gate can show that
// it finds it. The zero value is nothing; other programs know nothing of it.
type Faults struct {
	// Descriptors are held open until the clients are closed.
	Descriptors int `json:"descriptors,omitempty"`
	// LostWrites are documents that are said to be written and are not.
	LostWrites int `json:"lost_writes,omitempty"`
}

// planted is what a core has of it.
type planted struct {
	held []*os.File
	lose atomic.Int64
}

func (p *planted) plant(what Faults) error {
	p.lose.Store(int64(what.LostWrites))
	for range what.Descriptors {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return fmt.Errorf("inject a leak of %d descriptors: %w", what.Descriptors, err)
		}
		p.held = append(p.held, f)
	}
	return nil
}

// writer returns next, less the documents that are to be lost.
func (p *planted) writer(next pipeline.Writer[calllog.Document]) pipeline.Writer[calllog.Document] {
	if p.lose.Load() == 0 {
		return next
	}
	return pipeline.WriterFunc[calllog.Document](func(ctx context.Context, documents []calllog.Document) error {
		for len(documents) > 0 && p.lose.Add(-1) >= 0 {
			documents = documents[1:]
		}
		if len(documents) == 0 {
			return nil
		}
		return next.Write(ctx, documents)
	})
}

func (p *planted) release() {
	for _, f := range p.held {
		_ = f.Close()
	}
}
