// Package options is empty: only tests of FerretDB import it, and `go mod tidy` wants to find it.
package options
