// Package examples holds programs that Floodgate can measure: each speaks the protocol
// of package bench/sut in another language, in at most 60 lines, and fetches and writes
// the items of a trial. "floodgate init --sut python" writes a copy of one.
package examples

import "embed"

//go:embed go/main.go python/sut.py node/sut.mjs
var files embed.FS

// Program is a program of this package.
type Program struct {
	// Language is its name on the command line: go, python or node.
	Language string
	// File is the name of its file.
	File string
	path string
}

// Programs returns the programs.
func Programs() []Program {
	return []Program{{"go", "main.go", "go/main.go"}, {"python", "sut.py", "python/sut.py"}, {"node", "sut.mjs", "node/sut.mjs"}}
}

// Source returns the text of the program.
func (p Program) Source() ([]byte, error) { return files.ReadFile(p.path) }
