// Package mongo declares what FerretDB uses of the first MongoDB driver for Go: one struct.
package mongo

// WriteError is an error of one of a command's writes.
type WriteError struct {
	// Index is the place of the write in its command, from 0.
	Index int
	// Code is the server's number of the error.
	Code int
	// Message says what was wrong.
	Message string
}
