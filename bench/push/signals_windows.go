package main

import "os"

// forwarded are the signals that the command gets as well; Ctrl-C reaches it anyway.
var forwarded = [...]os.Signal{os.Interrupt}

// exitCode returns the exit code of a command.
func exitCode(s *os.ProcessState) int { return s.ExitCode() }
