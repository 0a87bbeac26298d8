package results

import "os"

// Faults injects faults between a store and its file.
type Faults struct {
	*os.File
	WriteAtMost        int // bytes of the next write that succeed; negative means all
	WriteErr, SyncErr  error
	TruncateErr        error
	Truncated, Written int
}

func (f *Faults) Write(p []byte) (int, error) {
	f.Written++
	if f.WriteErr == nil {
		return f.File.Write(p)
	}
	n, _ := f.File.Write(p[:min(f.WriteAtMost, len(p))])
	return n, f.WriteErr
}

func (f *Faults) Sync() error {
	if f.SyncErr != nil {
		return f.SyncErr
	}
	return f.File.Sync()
}

func (f *Faults) Truncate(size int64) error {
	f.Truncated++
	if f.TruncateErr != nil {
		return f.TruncateErr
	}
	return f.File.Truncate(size)
}

// Inject starts to inject faults between the store and its file.
func (s *Store) Inject() *Faults {
	f := &Faults{File: s.file.(*os.File)}
	s.file = f
	return f
}

// Footer is the last line of a complete run.
type Footer = footer
