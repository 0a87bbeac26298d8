// Package watched stores observations of a process that somebody else loads, and
// judges whether its descriptors leak:
//
//	w, err := watched.Open("results/runs/20261128-074500.123-7f3a9c")
//	o := watched.Judge(w)
//	fmt.Println(o.Cause, o.Statement)
//	// leak descriptors grow by 3.2 a minute (3.0 to 3.4) while 14–22 connections are in progress: …
//
// A record is a file of JSON lines: the header, a line for each sample, and a line
// about the end. Each line is written at once, so that a watch that is killed loses
// none.
package watched

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"floodgate/results"
)

// FileName is the name of a watch's file in its folder.
const FileName = "watch.jsonl"

// Schema is the version of the record.
const Schema = 1

// Header describes a watch.
type Header struct {
	Schema  int       `json:"watch_schema"`
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	// Command holds the arguments that start the same watch again.
	Command []string `json:"command"`
	Process Process  `json:"process"`
	// Every is the time between two samples.
	Every time.Duration `json:"every_ns"`
	// Limitation describes the part of the process that could not be seen; empty means
	// none.
	Limitation  string              `json:"blind,omitempty"`
	Fingerprint results.Fingerprint `json:"fingerprint"`
}

// Process is the process that was watched.
type Process struct {
	PID int `json:"pid"`
	// Name is the kernel's name of the program, up to 15 characters.
	Name string `json:"name"`
	// StartTicks is the time of its start in clock ticks since the machine booted. It
	// tells processes with the same PID apart.
	StartTicks int64 `json:"start_ticks"`
	// Container is the container by which it was found, if any.
	Container string `json:"container,omitempty"`
}

// String returns "reportd (process 4711)".
func (p Process) String() string {
	if p.Container != "" {
		return fmt.Sprintf("%s (process %d of container %s)", p.Name, p.PID, p.Container)
	}
	return fmt.Sprintf("%s (process %d)", p.Name, p.PID)
}

// Sample is the state of the process at one moment.
type Sample struct {
	// At is the time since the start of the watch.
	At          time.Duration `json:"at_ns"`
	Descriptors int           `json:"descriptors"`
	// Limit is the soft RLIMIT_NOFILE.
	Limit   uint64 `json:"limit"`
	Threads int    `json:"threads"`
	// RSS is the resident memory in bytes.
	RSS int64 `json:"rss_bytes"`
	// Kinds is nil if the descriptors were only counted, which is much cheaper than
	// classifying them.
	Kinds *Kinds `json:"kinds,omitempty"`
}

// Kinds are the descriptors by kind. Their sum may differ from the count of the same
// sample by the descriptors that were opened or closed in between.
type Kinds struct {
	Files   int `json:"files"`
	Pipes   int `json:"pipes"`
	Runtime int `json:"runtime"` // epoll, eventfd, timerfd, signalfd, io_uring and pidfd
	Unix    int `json:"unix"`
	UDP     int `json:"udp"`
	// Sockets are those without a connection, and those of rare kinds.
	Sockets     int           `json:"sockets"`
	Other       int           `json:"other"`
	Listening   int           `json:"listening"`
	Connections []Connections `json:"connections,omitempty"`
	// Unlisted is the number of connections in groups that are too small to be listed.
	Unlisted int `json:"connections_beyond,omitempty"`
	// InProgress is an upper bound on the requests in progress.
	InProgress int `json:"in_progress_at_most"`
	// Accepted are accepted connections in any state.
	Accepted int `json:"accepted"`
	// Traffic reports whether the time of the last traffic of connections was known. If
	// not, no connection counts as idle, and InProgress is the number of accepted
	// connections.
	Traffic bool `json:"traffic"`
}

// Connections are TCP connections with the same direction, endpoint and state.
type Connections struct {
	Accepted bool   `json:"accepted,omitempty"`
	Endpoint string `json:"endpoint"`
	State    string `json:"state"`
	Count    int    `json:"count"`
	// Idle is the number of those without data for at least five seconds.
	Idle int `json:"idle,omitempty"`
}

// End is the reason why a watch ended.
type End string

// Ends of a watch. A watch without an end is running or was killed.
const (
	EndTime        End = "time"        // its duration was over
	EndInterrupted End = "interrupted" // by Ctrl-C or SIGTERM
	EndExited      End = "process ended"
)

// footer is the last line of a watch that was not killed.
type footer struct {
	End End `json:"end"`
}

// Watch is a stored watch.
type Watch struct {
	Path    string
	Header  Header
	Samples []Sample
	End     End
	// Warnings reports an unfinished last line.
	Warnings []string
}

// Store appends the samples of a running watch.
type Store struct {
	file *os.File
	dir  string
}

// Create creates the folder of a new watch below root, and writes its header. It sets
// Schema, and the ID if it is empty.
func Create(root string, h *Header) (*Store, error) {
	if h.ID == "" {
		h.ID = results.NewID(h.Started)
	}
	h.Schema = Schema
	dir := filepath.Join(root, h.ID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create watch %q: %w", h.ID, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create watch %q: %w", h.ID, err)
	}
	s := &Store{file: f, dir: dir}
	if err := s.line(h); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// Dir returns the folder of the watch.
func (s *Store) Dir() string { return s.dir }

// Append writes a sample, which survives the end of this process by any signal.
func (s *Store) Append(l Sample) error { return s.line(l) }

// Finish writes the reason of the end, and syncs the file.
func (s *Store) Finish(e End) error {
	if err := s.line(footer{End: e}); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.file.Name(), err)
	}
	return nil
}

// Close closes the file.
func (s *Store) Close() error { return s.file.Close() }

func (s *Store) line(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", s.file.Name(), err)
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", s.file.Name(), err)
	}
	return nil
}

// Open reads a watch from its folder or file. An unfinished last line becomes a warning;
// any other damage is a [results.LineError].
func Open(path string) (*Watch, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, FileName)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open watch: %w", err)
	}
	w, err := Parse(path, src)
	if err != nil {
		return nil, fmt.Errorf("open watch: %w", err)
	}
	return w, nil
}

// Parse parses the content of a watch's file, whose name is used in errors.
func Parse(name string, src []byte) (*Watch, error) {
	w := &Watch{Path: name}
	for number := 1; len(src) > 0; number++ {
		line, rest, whole := bytes.Cut(src, []byte("\n"))
		if !whole && number > 1 {
			w.Warnings = append(w.Warnings, fmt.Sprintf("%s:%d: ignored an unfinished last line of %d bytes", name, number, len(line)))
			break
		}
		if err := w.accept(number, line); err != nil {
			return nil, &results.LineError{File: name, Line: number, Err: err}
		}
		src = rest
	}
	if w.Header.Schema == 0 {
		return nil, &results.LineError{File: name, Line: 1, Err: errors.New("the header is missing: this is not the record of a watch")}
	}
	return w, nil
}

func (w *Watch) accept(number int, line []byte) error {
	switch {
	case number == 1:
		if err := strict(line, &w.Header); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		if w.Header.Schema != Schema {
			return fmt.Errorf("header: schema %d of a watch is not supported (this version reads schema %d)", w.Header.Schema, Schema)
		}
		return nil
	case w.End != "":
		return errors.New("a line after the end")
	case bytes.HasPrefix(line, []byte(`{"end":`)):
		var f footer
		if err := strict(line, &f); err != nil {
			return fmt.Errorf("end: %w", err)
		}
		if f.End != EndTime && f.End != EndInterrupted && f.End != EndExited {
			return fmt.Errorf("unknown end %q (want %q, %q or %q)", f.End, EndTime, EndInterrupted, EndExited)
		}
		w.End = f.End
		return nil
	}
	var l Sample
	if err := strict(line, &l); err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	if n := len(w.Samples); l.At < 0 || n > 0 && l.At <= w.Samples[n-1].At {
		return fmt.Errorf("sample: time %v is not later than that of the previous sample", l.At)
	}
	w.Samples = append(w.Samples, l)
	return nil
}

// strict decodes a line with one JSON value without unknown fields.
func strict(line []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the end of the record")
	}
	return nil
}
