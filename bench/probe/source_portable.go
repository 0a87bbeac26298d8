package probe

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// portable reads the figures of a process with gopsutil, without kinds.
type portable struct {
	mu      sync.Mutex // Process has an unprotected cache
	process *process.Process
}

func openPortable(t Target) (source, error) {
	p, err := process.NewProcess(int32(t.PID))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrExited, err)
	}
	return &portable{process: p}, nil
}

func (p *portable) count() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := p.process.NumFDs()
	if err == nil && n > 0 {
		return int(n), nil
	}
	running, runErr := p.process.IsRunning()
	states, stateErr := p.process.Status()
	if runErr != nil || !running || stateErr == nil && len(states) == 1 && states[0] == process.Zombie {
		return 0, errors.Join(ErrExited, err)
	}
	return int(n), err
}

func (*portable) kinds() (*Kinds, error) { return nil, nil }

func (p *portable) resources() (resources, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	memory, err := p.process.MemoryInfo()
	if err != nil {
		return resources{}, err
	}
	threads, err := p.process.NumThreads()
	if err != nil {
		return resources{}, err
	}
	times, err := p.process.Times()
	if err != nil {
		return resources{}, err
	}
	return resources{
		peakRSS: int64(max(memory.RSS, memory.HWM)),
		rss:     int64(memory.RSS),
		threads: int(threads),
		user:    seconds(times.User),
		system:  seconds(times.System),
	}, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (*portable) close() error { return nil }
