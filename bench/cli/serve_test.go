package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"floodgate/results/verdict"
)

// served waits until a server has printed its address on stderr.
type served struct {
	text      bytes.Buffer
	announced chan struct{} // closed when the address is printed
}

var address = regexp.MustCompile(`on \S+; Ctrl-C`)

func (s *served) Write(p []byte) (int, error) {
	n, err := s.text.Write(p)
	if s.announced != nil && address.Match(s.text.Bytes()) {
		close(s.announced)
		s.announced = nil
	}
	return n, err
}

// asCommand returns the command as another process, in the folder dir.
func asCommand(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "floodgate") // the test binary with this name is the command
	if err := os.Symlink(executable, link); err != nil && !os.IsExist(err) {
		t.Skip("no symbolic links here:", err)
	}
	cmd := exec.Command(link, args...)
	cmd.Dir = dir
	return cmd
}

// Two processes on one folder would not see each other's writes. The second one is
// refused without harm to the first; a kill releases the folder.
func TestMongoDataIsOneProcess(t *testing.T) {
	dir := t.TempDir()
	args := []string{"mongo", "--addr", "127.0.0.1:0", "--data", "data"}
	first := asCommand(t, dir, args...)
	announced := make(chan struct{})
	stderr := &served{announced: announced}
	first.Stderr = stderr
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	t.Cleanup(func() { _ = first.Process.Kill() })
	select {
	case <-announced:
	case err := <-ended:
		t.Fatalf("ended: %v\n%s", err, &stderr.text)
	}
	second := asCommand(t, dir, args...)
	text, _ := second.CombinedOutput()
	if code := second.ProcessState.ExitCode(); code != verdict.ExitNotMeasured {
		t.Errorf("second process: exit code %d, want %d", code, verdict.ExitNotMeasured)
	}
	for _, want := range []string{"is in use", "--data", filepath.Join(dir, "data")} {
		if !strings.Contains(string(text), want) {
			t.Errorf("second process says %q, want %q in it", text, want)
		}
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal("the first process:", err)
	}
	<-ended
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // it ends as soon as it has started
	var out bytes.Buffer
	if code := run(ctx, []string{"mongo", "--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data")}, &out, &out); code != verdict.ExitPassed {
		t.Errorf("after the kill: exit code %d: %s", code, &out)
	}
}
