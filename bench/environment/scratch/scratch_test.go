package scratch_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"floodgate/bench/environment/scratch"
)

const prefix = "scratch-test-"

// holdEnv makes the test binary a process that makes a folder there and holds it.
const holdEnv = "FLOODGATE_SCRATCH_HOLD"

func TestMain(m *testing.M) {
	if parent := os.Getenv(holdEnv); parent != "" {
		f, err := scratch.New(parent, prefix)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(f.Path())
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		os.Exit(0) // without removing it
	}
	os.Exit(m.Run())
}

// hold starts another process that holds a folder.
func hold(t *testing.T, parent string) (path string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+parent)
	stdin, err := cmd.StdinPipe() // open as long as the process is to live
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
	return path, kill
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

func TestSweepRemovesWhatTheKilledLeft(t *testing.T) {
	parent := t.TempDir()
	dead, kill := hold(t, parent)
	alive, _ := hold(t, parent)
	if err := os.WriteFile(filepath.Join(dead, "data"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if removed, err := scratch.Sweep(parent, prefix); len(removed) != 0 || err != nil {
		t.Errorf("removed %q of living processes, %v", removed, err)
	}
	kill()
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

// Folders that are being made are never swept away under their owners.
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
