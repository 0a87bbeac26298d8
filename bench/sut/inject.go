package sut

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
)

// Faults are faults that the built-in SUT injects, so that a gate can test whether it
// detects them. The zero value injects none. Other programs ignore them.
type Faults struct {
	// Descriptors is the number of extra descriptors that stay open until the clients
	// are closed.
	Descriptors int `json:"descriptors,omitempty"`
	// LostWrites is the number of documents that are reported as written but are not.
	LostWrites int `json:"lost_writes,omitempty"`
}

// injection is the state of injected faults.
type injection struct {
	descriptors []*os.File
	remaining   atomic.Int64 // documents still to lose
}

func (p *injection) inject(faults Faults) error {
	p.remaining.Store(int64(faults.LostWrites))
	for range faults.Descriptors {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return fmt.Errorf("inject a leak of %d descriptors: %w", faults.Descriptors, err)
		}
		p.descriptors = append(p.descriptors, f)
	}
	return nil
}

// writer returns a writer that loses documents and passes the others to next.
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
