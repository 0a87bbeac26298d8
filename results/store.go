package results

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"floodgate/results/atomicfile"
)

// Errors of [Resume]; [Create] returns ErrLocked as well.
var (
	ErrLocked       = errors.New("another process is writing this run")
	ErrComplete     = errors.New("the run is complete: there is nothing to resume")
	ErrHashMismatch = errors.New("the scenario differs from the one with which the run started")
)

// file is the part of *os.File that a Store uses.
type file interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
	Seek(offset int64, whence int) (int64, error)
}

// Store appends the trials of one run. It holds a lock on the run's file, so
// that no two processes append to one. Its methods may be called concurrently.
type Store struct {
	header Header
	dir    string

	mu     sync.Mutex
	file   file
	size   int64     // of the lines that are on disk
	digest hash.Hash // of these lines
	seen   map[int]bool
	broken error // why nothing more can be appended
}

// Create makes the folder of a new run below root and writes its header. It sets
// Schema, replaces an empty ID with a [NewID], and brings Scenario and Hash to the
// form of [Header.SetScenario]. The folder may exist and hold logs, but it is an
// error if it holds a run.
func Create(root string, h Header) (*Store, error) {
	if h.ID == "" {
		h.ID = NewID(time.Now())
	}
	h.Schema = Schema
	if err := h.SetScenario(h.Scenario); err != nil {
		return nil, fmt.Errorf("create run %q: %w", h.ID, err)
	}
	h.Environment.Database = Redact(h.Environment.Database)
	h.Environment.Upstream = Redact(h.Environment.Upstream)
	if err := h.validate(); err != nil {
		return nil, fmt.Errorf("create run %q: %w", h.ID, err)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("create run %q: %w", h.ID, err)
	}
	dir := filepath.Join(root, h.ID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create run %q: %w", h.ID, err)
	}
	s, err := create(dir, h)
	if err != nil {
		_ = os.Remove(dir) // fails if it holds logs or another run
		return nil, fmt.Errorf("create run %q: %w", h.ID, err)
	}
	return s, nil
}

func create(dir string, h Header) (*Store, error) {
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	s := &Store{header: h, dir: dir, file: f, digest: sha256.New(), seen: make(map[int]bool)}
	if err := s.begin(f); err != nil {
		f.Close()
		_ = os.Remove(f.Name())
		return nil, err
	}
	return s, nil
}

// begin locks the file and makes the header and the names of the file and its
// folders durable.
func (s *Store) begin(f *os.File) error {
	if err := lock(f); err != nil {
		return err
	}
	if err := s.write(s.header); err != nil {
		return err
	}
	root := filepath.Dir(s.dir)
	for _, dir := range []string{s.dir, root, filepath.Dir(root)} {
		if err := atomicfile.SyncDir(dir); err != nil {
			return fmt.Errorf("sync folder %s: %w", dir, err)
		}
	}
	return nil
}

// Resume opens an interrupted run, removes an unfinished last line, and returns
// the stored part, so that the missing trials can be appended. Its error is
// [ErrHashMismatch] if scenarioHash, see [ScenarioHash], is not that of the run,
// [ErrComplete] if the run is complete, and [ErrLocked] if another process
// writes it.
func Resume(root, id, scenarioHash string) (*Store, *Run, error) {
	s, run, err := resume(root, id, scenarioHash)
	if err != nil {
		return nil, nil, fmt.Errorf("resume run %q: %w", id, err)
	}
	return s, run, nil
}

func resume(root, id, scenarioHash string) (_ *Store, _ *Run, err error) {
	if err := CheckID(id); err != nil {
		return nil, nil, err
	}
	path := filepath.Join(root, id, FileName)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := lock(f); err != nil {
		return nil, nil, err
	}
	src, err := io.ReadAll(f)
	if err != nil {
		return nil, nil, err
	}
	p, err := parse(path, src)
	if err != nil {
		return nil, nil, err
	}
	run := &p.run
	run.Path = path
	switch {
	case run.Complete:
		return nil, nil, ErrComplete
	case run.Header.Hash != scenarioHash:
		return nil, nil, fmt.Errorf("%w: its hash is %s, but that of the run is %s", ErrHashMismatch, scenarioHash, run.Header.Hash)
	}
	s := &Store{header: run.Header, dir: filepath.Dir(path), file: f, size: p.good, digest: p.digest, seen: make(map[int]bool)}
	for _, t := range run.Trials {
		s.seen[t.Index] = true
	}
	if err := s.rewind(); err != nil {
		return nil, nil, fmt.Errorf("cut off the unfinished last line of %s: %w", path, err)
	}
	return s, run, nil
}

// ID returns the ID of the run.
func (s *Store) ID() string { return s.header.ID }

// Dir returns the run's folder; logs that belong to the run may be put there.
func (s *Store) Dir() string { return s.dir }

// Append stores a trial, with credentials removed from its texts, and returns
// when it is on disk. If that fails, no part of the trial stays in the file.
func (s *Store) Append(t Trial) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(t); err != nil {
		return fmt.Errorf("append trial %d to run %q: %w", t.Index, s.header.ID, err)
	}
	return nil
}

func (s *Store) append(t Trial) error {
	if err := t.validate(s.header.Planned); err != nil {
		return err
	}
	for name, h := range t.Stages {
		if _, err := h.HDR(); err != nil {
			return fmt.Errorf("stage %s: %w", name, err)
		}
	}
	if s.seen[t.Index] {
		return errors.New("it is already stored")
	}
	if err := s.write(t.redacted()); err != nil {
		return err
	}
	s.seen[t.Index] = true
	return nil
}

// Finish marks the run complete. It is an error if trials are missing, but for whole
// blocks of a run that repeats them.
func (s *Store) Finish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.seen); !s.header.mayEnd(n) {
		return fmt.Errorf("finish run %q: %d of %d trials are stored", s.header.ID, n, s.header.Planned)
	}
	end := footer{Complete: true, Trials: len(s.seen), SHA256: hex.EncodeToString(s.digest.Sum(nil))}
	if err := s.write(end); err != nil {
		return fmt.Errorf("finish run %q: %w", s.header.ID, err)
	}
	s.broken = ErrComplete
	return nil
}

// Close closes the file and releases its lock. It may be called more than once.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = os.ErrClosed
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// write appends v as one line and syncs it. A partial write, as on a full disk,
// is undone and may be retried. After a failed sync the content on disk is
// unknown, so the store refuses further writes.
func (s *Store) write(v any) error {
	if s.broken != nil {
		return s.broken
	}
	line, err := encodeLine(v)
	if err != nil {
		return err
	}
	if _, err := s.file.Write(line); err != nil {
		if undo := s.rewind(); undo != nil {
			s.broken = fmt.Errorf("an earlier write left a part of a line that could not be removed: %w", undo)
			return errors.Join(err, s.broken)
		}
		return err
	}
	if err := s.file.Sync(); err != nil {
		s.broken = fmt.Errorf("an earlier write could not be synced: %w", err)
		return errors.Join(err, s.rewind())
	}
	s.size += int64(len(line))
	s.digest.Write(line)
	return nil
}

// rewind cuts the file back to the lines that are known to be on disk.
func (s *Store) rewind() error {
	if err := s.file.Truncate(s.size); err != nil {
		return err
	}
	if _, err := s.file.Seek(s.size, io.SeekStart); err != nil {
		return err
	}
	return s.file.Sync()
}

// NewID returns an ID for a run that started at now, such as
// "20261122-214015.123-7f3a9c". IDs sort by time (UTC), those of the same
// millisecond differ in a random suffix, and all are valid file names.
func NewID(now time.Time) string {
	var suffix [3]byte
	rand.Read(suffix[:]) // never fails
	return now.UTC().Format("20060102-150405.000") + "-" + hex.EncodeToString(suffix[:])
}

var validID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,127}$`)

// CheckID returns an error for an ID that is not a plain file name on every
// system, which excludes paths out of the root.
func CheckID(id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("run ID %q must be at most 128 letters, digits, '.', '_' and '-', beginning with a letter or digit", id)
	}
	return nil
}

// LockError reports that the file system of a folder does not support file locks,
// like some network and overlay file systems.
type LockError struct {
	Dir string
	Err error
}

func (e *LockError) Error() string {
	return fmt.Sprintf("file locks do not work in %s: %v; store runs in a folder on a local file system (--out)", e.Dir, e.Err)
}
func (e *LockError) Unwrap() error { return e.Err }

// lockError wraps err in a [LockError], unless it is nil.
func lockError(dir string, err error) error {
	if err == nil {
		return nil
	}
	return &LockError{Dir: dir, Err: err}
}
