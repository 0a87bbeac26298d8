//go:build !linux

package probe

func openInspected(int) (inspected, error) { return nil, ErrNeedsProc }

// Family needs Linux: elsewhere it returns [ErrNeedsProc].
func Family(int, string) ([]Relative, error) { return nil, ErrNeedsProc }

// Began needs Linux: elsewhere it returns false.
func Began(int, string) bool { return false }

// ProcessOf needs Linux: elsewhere it returns [ErrNeedsProc].
func ProcessOf(int) (int, error) { return 0, ErrNeedsProc }

// HasExited needs Linux: elsewhere it returns true.
func HasExited(int) bool { return true }

// Listeners needs Linux: elsewhere it returns [ErrNeedsProc].
func Listeners(uint16) (pids []int, hidden bool, err error) { return nil, false, ErrNeedsProc }
