package runtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"floodgate/results"
)

// Store stores a run below root and returns the path of its record.
func Store(root string, run *results.Run) (string, error) {
	s, err := results.Create(root, run.Header)
	if err != nil {
		return "", err
	}
	defer s.Close()
	for _, t := range run.Trials {
		if err := s.Append(t); err != nil {
			return "", err
		}
	}
	if run.Complete {
		if err := s.Finish(); err != nil {
			return "", err
		}
	}
	return filepath.Join(s.Dir(), results.FileName), s.Close()
}

// Copies writes n records with the trials of a stored run below root. Their IDs and starts
// differ, a day from one to the next. It is faster than [Store], as it syncs nothing.
func Copies(root, record string, n int) error {
	src, err := os.ReadFile(record)
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(src, []byte("\n")), []byte("\n"))
	var h results.Header
	if err := json.Unmarshal(lines[0], &h); err != nil {
		return err
	}
	for i := range n {
		next := h
		next.Started = h.Started.AddDate(0, 0, i+1)
		next.ID = fmt.Sprintf("%s-%06x", next.Started.UTC().Format("20060102-150405.000"), i)
		header, err := json.Marshal(next)
		if err != nil {
			return err
		}
		body := append(append(header, '\n'), bytes.Join(lines[1:len(lines)-1], nil)...)
		body = fmt.Appendf(body, `{"complete":true,"trials":%d,"sha256":"%x"}`+"\n", h.Planned, sha256.Sum256(body))
		dir := filepath.Join(root, next.ID)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, results.FileName), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}
