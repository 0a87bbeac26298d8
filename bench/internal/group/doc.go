// Package group runs commands in separate process groups:
//
//	cmd := exec.Command("worker")
//	group.Own(cmd)
//	err := cmd.Start()
//	…
//	err = group.Interrupt(cmd.Process.Pid) // the worker and its descendants
//
// Ctrl-C in the terminal reaches only this process, which stops the commands in order, and
// their descendants can be stopped together with them.
package group
