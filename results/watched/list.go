package watched

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Listed is an entry of [List].
type Listed struct {
	ID    string
	Watch *Watch // nil if Err is set
	// Err is the reason why the watch cannot be read.
	Err error
}

// List returns the watches below root, oldest first. It returns none if root does not
// exist.
func List(root string) ([]Listed, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list watches: %w", err)
	}
	var all []Listed
	for _, e := range entries {
		w, err := Open(filepath.Join(root, e.Name(), FileName))
		if errors.Is(err, fs.ErrNotExist) || !e.IsDir() {
			continue
		}
		all = append(all, Listed{ID: e.Name(), Watch: w, Err: err})
	}
	return all, nil
}
