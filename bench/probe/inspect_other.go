//go:build !linux

package probe

func openInspected(int) (inspected, error) { return nil, ErrNeedsProc }

// Listeners needs Linux: elsewhere it returns [ErrNeedsProc].
func Listeners(uint16) (pids []int, hidden bool, err error) { return nil, false, ErrNeedsProc }
