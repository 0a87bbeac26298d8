package scratch_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"floodgate/bench/environment/scratch"
)

const prefix = "scratch-test-"

// holdEnv names the folder in which the test binary creates a folder and holds it.
const holdEnv = "FLOODGATE_SCRATCH_HOLD"

// lockEnv names the folder that the test binary locks.
const lockEnv = "FLOODGATE_SCRATCH_LOCK"

func TestMain(m *testing.M) {
	if parent := os.Getenv(holdEnv); parent != "" {
		f, err := scratch.New(parent, prefix)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(f.Path())
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		os.Exit(0) // without removing the folder
	}
	if dir := os.Getenv(lockEnv); dir != "" {
		if _, err := scratch.Hold(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(dir)
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		os.Exit(0) // without releasing the lock
	}
	os.Exit(m.Run())
}

// hold starts a process that creates a folder in parent and holds it.
func hold(t *testing.T, parent string) (path string, kill func()) {
	t.Helper()
	_, path, kill = start(t, holdEnv+"="+parent)
	return path, kill
}

// start starts this binary as another process, and returns the path that it prints.
func start(t *testing.T, env string) (pid int, path string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env)
	stdin, err := cmd.StdinPipe() // the process ends when it is closed
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = stdin.Close()
	}
	t.Cleanup(kill)
	if _, err := fmt.Fscanln(stdout, &path); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, path, kill
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestRemove(t *testing.T) {
	f, err := scratch.New(t.TempDir(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(f.Path(), "deep", "er"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(); err != nil || there(f.Path()) {
		t.Errorf("Remove: %v, there: %v", err, there(f.Path()))
	}
}

func TestSweepRemovesFoldersOfKilledProcesses(t *testing.T) {
	parent := t.TempDir()
	dead, kill := hold(t, parent)
	alive, _ := hold(t, parent)
	if err := os.WriteFile(filepath.Join(dead, "data"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if removed, err := scratch.Sweep(parent, prefix); len(removed) != 0 || err != nil {
		t.Errorf("removed %q of living processes, %v", removed, err)
	}
	if found, err := scratch.Orphans(parent, prefix); len(found) != 0 || err != nil {
		t.Errorf("orphans %q of living processes, %v", found, err)
	}
	kill()
	if found, err := scratch.Orphans(parent, prefix); err != nil || len(found) != 1 || found[0] != dead || !there(dead) {
		t.Errorf("orphans %q, %v, want %q, still there", found, err, dead)
	}
	removed, err := scratch.Sweep(parent, prefix)
	if err != nil || len(removed) != 1 || removed[0] != dead {
		t.Errorf("removed %q, %v, want %q", removed, err, dead)
	}
	if there(dead) || !there(alive) {
		t.Errorf("dead one there: %v, living one there: %v", there(dead), there(alive))
	}
}

func TestSweepLeavesTheRestAlone(t *testing.T) {
	parent := t.TempDir()
	own, err := scratch.New(parent, prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Remove()
	other, err := scratch.New(t.TempDir(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Remove()
	keep := []string{own.Path(), other.Path()}
	add := func(name string, err error) {
		if err != nil {
			t.Fatal(err)
		}
		keep = append(keep, filepath.Join(parent, name))
	}
	add("unlocked-elsewhere", os.Mkdir(filepath.Join(parent, "unlocked-elsewhere"), 0o700))
	add("unlocked-elsewhere/.lock", os.WriteFile(filepath.Join(parent, "unlocked-elsewhere/.lock"), nil, 0o600))
	add(prefix+"without-lock", os.Mkdir(filepath.Join(parent, prefix+"without-lock"), 0o700))
	add(prefix+"file", os.WriteFile(filepath.Join(parent, prefix+"file"), nil, 0o600))
	add(prefix+"link", os.Symlink(filepath.Join(parent, "unlocked-elsewhere"), filepath.Join(parent, prefix+"link")))
	if found, err := scratch.Orphans(parent, prefix); len(found) != 0 || err != nil {
		t.Errorf("orphans %q, %v", found, err)
	}
	if removed, err := scratch.Sweep(parent, prefix); len(removed) != 0 || err != nil {
		t.Errorf("removed %q, %v", removed, err)
	}
	for _, path := range keep {
		if !there(path) {
			t.Errorf("%s is gone", path)
		}
	}
	if _, err := scratch.Sweep(filepath.Join(parent, "missing"), prefix); err == nil {
		t.Error("swept a folder that is not there")
	}
}

// Sweep never removes a folder that another process is just creating.
func TestMakingAndSweepingAtOnce(t *testing.T) {
	parent := t.TempDir()
	var making, sweeping sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		sweeping.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := scratch.Sweep(parent, prefix); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 4 {
		making.Go(func() {
			for range 50 {
				f, err := scratch.New(parent, prefix)
				if err != nil {
					t.Error(err)
					continue
				}
				if err := os.WriteFile(filepath.Join(f.Path(), "x"), nil, 0o600); err != nil {
					t.Error(err)
				}
				if err := f.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	making.Wait()
	close(stop)
	sweeping.Wait()
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestHold(t *testing.T) {
	dir := t.TempDir()
	release, err := scratch.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scratch.Hold(dir); !errors.Is(err, scratch.ErrLocked) {
		t.Errorf("held twice in one process: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	pid, _, kill := start(t, lockEnv+"="+dir)
	if _, err := scratch.Hold(dir); !errors.Is(err, scratch.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint("process ", pid)) {
		t.Errorf("held beside process %d: %v", pid, err)
	}
	kill()
	release, err = scratch.Hold(dir)
	if err != nil {
		t.Fatalf("the killed process still holds it: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if _, err := scratch.Hold(filepath.Join(dir, "missing")); err == nil || errors.Is(err, scratch.ErrLocked) {
		t.Errorf("held a folder that is not there: %v", err)
	}
}
