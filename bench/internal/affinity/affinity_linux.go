package affinity

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// cpuSetSize is the number of cores in a unix.CPUSet.
const cpuSetSize = 1024

// Allowed returns the cores that the calling thread may run on.
func Allowed() (Cores, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("read the allowed cores: %w", err)
	}
	var all Cores
	for core := range cpuSetSize {
		if set.IsSet(core) {
			all = append(all, core)
		}
	}
	return all, nil
}

// Starting calls start on the current thread while it is confined to the cores, which a
// process that is started then inherits, with its descendants. Nil confines nothing. The
// caller must have locked its goroutine to the thread.
func Starting(c Cores, start func() error) error {
	if c == nil {
		return start()
	}
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("read the allowed cores: %w", err)
	}
	if err := confineThread(0, c); err != nil {
		return err
	}
	err := start()
	return errors.Join(err, unix.SchedSetaffinity(0, &before))
}

// Confine confines all threads of a process to the cores, and with them those that they
// start.
func Confine(pid int, c Cores) error {
	folder := fmt.Sprintf("/proc/%d/task", pid)
	confined := map[string]bool{}
	for { // until no thread has been started meanwhile by one that was not confined yet
		threads, err := os.ReadDir(folder)
		if err != nil {
			return fmt.Errorf("confine process %d: %w", pid, err)
		}
		added := false
		for _, t := range threads {
			if confined[t.Name()] {
				continue
			}
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return fmt.Errorf("confine process %d: %w", pid, err)
			}
			if err := confineThread(id, c); errors.Is(err, unix.ESRCH) {
				continue // it has ended
			} else if err != nil {
				return err
			}
			confined[t.Name()], added = true, true
		}
		if !added {
			return nil
		}
	}
}

func confineThread(id int, c Cores) error {
	var set unix.CPUSet
	for _, core := range c {
		set.Set(core)
	}
	if err := unix.SchedSetaffinity(id, &set); err != nil {
		return fmt.Errorf("confine a thread to cores %v: %w", c, err)
	}
	return nil
}
