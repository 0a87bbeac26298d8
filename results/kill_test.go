//go:build unix

package results_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"floodgate/results"
	"floodgate/results/internal/runtest"
)

// The test binary is also the process that is killed, or that fills its disk.
func TestMain(m *testing.M) {
	switch root := os.Getenv("RESULTS_ROOT"); os.Getenv("RESULTS_CHILD") {
	case "append":
		appendUntilKilled(root)
	case "fill":
		fillDisk(root)
	default:
		os.Exit(m.Run())
	}
}

func child(t *testing.T, mode, root string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "RESULTS_CHILD="+mode, "RESULTS_ROOT="+root)
	cmd.Stderr = os.Stderr
	return cmd
}

// long returns a run that takes some time to store.
func long() *results.Run { return runtest.New(runtest.Options{Blocks: 200, Bare: true}) }

// appendUntilKilled prints a line for each stored trial.
func appendUntilKilled(root string) {
	run := long()
	s, err := results.Create(root, run.Header)
	if err != nil {
		panic(err)
	}
	for _, trial := range run.Trials {
		if err := s.Append(trial); err != nil {
			panic(err)
		}
		fmt.Println("stored", trial.Index)
	}
	select {}
}

func TestKillLosesNothingThatWasStored(t *testing.T) {
	run := long()
	id, hash := run.Header.ID, run.Header.Hash
	for _, after := range []int{1, 7, 40} {
		root := t.TempDir()
		cmd := child(t, "append", root)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		printed, lines := 0, bufio.NewScanner(out)
		for lines.Scan() {
			if printed++; printed == after {
				if _, _, err := results.Resume(root, id, hash); !errors.Is(err, results.ErrLocked) {
					t.Errorf("resume while it is written: got %v", err)
				}
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		s, got, err := results.Resume(root, id, hash)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Trials) == len(run.Trials) {
			t.Fatal("it was done before it was killed")
		}
		if len(got.Trials) < printed || len(got.Trials) > printed+1 {
			t.Errorf("killed after %d trials: %d are stored", printed, len(got.Trials))
		}
		if err := s.Append(run.Trials[len(got.Trials)]); err != nil {
			t.Error(err)
		}
		s.Close()
	}
}

// fillDisk makes the kernel truncate the write of the second trial.
func fillDisk(root string) {
	signal.Ignore(syscall.SIGXFSZ)
	run := long()
	s, err := results.Create(root, run.Header)
	if err != nil {
		panic(err)
	}
	if err := s.Append(run.Trials[0]); err != nil {
		panic(err)
	}
	file := filepath.Join(s.Dir(), results.FileName)
	info, err := os.Stat(file)
	if err != nil {
		panic(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	hard := limit.Max
	limit.Cur = uint64(info.Size()) + 700
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	fmt.Println("full:", s.Append(run.Trials[1]))
	after, err := os.Stat(file)
	if err != nil {
		panic(err)
	}
	fmt.Println("left behind:", after.Size()-info.Size())
	limit.Cur = hard
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	fmt.Println("room again:", s.Append(run.Trials[1]))
}

func TestFullDisk(t *testing.T) {
	root := t.TempDir()
	out, err := child(t, "fill", root).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"full: append trial 1 to run", "file too large", "left behind: 0\n", "room again: <nil>\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if got, err := results.Open(filepath.Join(root, long().Header.ID)); err != nil || len(got.Trials) != 2 || len(got.Warnings) > 0 {
		t.Errorf("stored %v, %v", got, err)
	}
}
