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

// injection is what a core has of it.
type injection struct {
	descriptors []*os.File
	remaining atomic.Int64
}

func (p *injection) inject(what Faults) error {
	p.remaining.Store(int64(what.LostWrites))
	for range what.Descriptors {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return fmt.Errorf("inject a leak of %d descriptors: %w", what.Descriptors, err)
		}
		p.descriptors = append(p.descriptors, f)
	}
	return nil
}

// writer returns next, less the documents that are to be lost.
func (p *injection) writer(next pipeline.Writer[calllog.Document]) pipeline.Writer[calllog.Document] {
	if p.remaining.Load() == 0 {
		return next
	}
	return pipeline.WriterFunc[calllog.Document](func(ctx context.Context, documents []calllog.Document) error {
		for len(documents) > 0 && p.remaining.Add(-1) >= 0 {
			documents = documents[1:]
		}
		if len(documents) == 0 {
			return nil
		}
		return next.Write(ctx, documents)
	})
}

func (p *injection) release() {
	for _, f := range p.descriptors {
		_ = f.Close()
	}
}
