package abtest

import (
	"os"
	"os/exec"
	"time"
)

// Where the standard output of measured commands goes.
const (
	// OutputPipe is a pipe that is read and thrown away: a command does all of its
	// work, as where its output is used.
	OutputPipe = "pipe"
	// OutputNull is the null device, which some programs recognize to do less.
	OutputNull = "null"
)

// pipeBuffer is what a read of the pipe takes at most: as much as it holds on Linux.
const pipeBuffer = 64 << 10

// drain gives the command a pipe as its standard output. After the command was
// started, or could not be, begin reads it until everyone who has it is gone, or
// end is called.
func drain(cmd *exec.Cmd) (begin, end func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout = w
	done := make(chan struct{})
	begin = func() {
		w.Close()
		go func() {
			defer close(done)
			defer r.Close()
			buffer := make([]byte, pipeBuffer)
			for {
				if _, err := r.Read(buffer); err != nil {
					return
				}
			}
		}()
	}
	end = func() {
		// A process outside of the command's group may keep the pipe open.
		if r.SetReadDeadline(time.Unix(1, 0)) == nil {
			<-done
		}
	}
	return begin, end, nil
}
