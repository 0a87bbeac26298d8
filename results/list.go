package results

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Listed is a run found by [List].
type Listed struct {
	ID     string
	Dir    string
	Header Header // zero if Err is set
	// Trials is the number of stored trials, whose content is not checked.
	Trials   int
	Complete bool
	// Err is the reason why the run cannot be read; nil means that it can.
	Err error
}

// List returns the runs below root, ordered by ID and thus by time; there are none
// if root does not exist. A run that cannot be read is in the list, with its error. List reads only
// headers; [Open] checks the rest.
func List(root string) ([]Listed, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var runs []Listed
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir := filepath.Join(root, e.Name())
		f, err := os.Open(filepath.Join(dir, FileName))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		listed := Listed{ID: e.Name(), Dir: dir, Err: err}
		if err == nil {
			listed.Err = listed.scan(f)
			f.Close()
		}
		runs = append(runs, listed)
	}
	return runs, nil
}

func (l *Listed) scan(f *os.File) error {
	r := bufio.NewReaderSize(f, 1<<16)
	p := parser{line: 1}
	line, err := r.ReadBytes('\n')
	if err != nil {
		return &LineError{File: f.Name(), Line: 1, Err: errors.New("the header is missing: the run was killed before it started")}
	}
	if err := p.header(line); err != nil {
		return &LineError{File: f.Name(), Line: 1, Err: err}
	}
	l.Header = p.run.Header
	for {
		start, err := r.Peek(len(footerPrefix))
		if err == nil && string(start) == footerPrefix {
			l.Complete = true
			return nil
		}
		whole, err := skipLine(r)
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Name(), err)
		}
		if !whole {
			return nil
		}
		l.Trials++
	}
}

// skipLine reads to the end of the line and reports whether it had one.
func skipLine(r *bufio.Reader) (whole bool, err error) {
	for {
		_, err := r.ReadSlice('\n')
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return false, nil
		default:
			return false, err
		}
	}
}

// Digest returns the SHA-256 digest of the record of the run in a folder, which is that
// of its footer, or "" if the run is not complete. It reads only the end of the file, so
// that it is fast and does not notice damage before the footer, as [Open] does.
func Digest(dir string) (string, error) {
	f, err := os.Open(filepath.Join(dir, FileName))
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	tail := make([]byte, min(size, maxFooter))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return "", err
	}
	line, whole := bytes.CutSuffix(tail, []byte("\n"))
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	var end footer
	if !whole || !bytes.HasPrefix(line, []byte(footerPrefix)) || strict(line, &end) != nil || !end.Complete {
		return "", nil
	}
	return end.SHA256, nil
}

// maxFooter bounds the length of a footer, in bytes.
const maxFooter = 512
