// Command floodgate-kubernetes is floodgate with one more environment, the pods of a
// Kubernetes cluster:
//
//	floodgate image --output floodgate.tar
//	kind load image-archive floodgate.tar
//	floodgate run report --quick --env kubernetes
//
// It is a program and a module of its own so that floodgate compiles without the libraries
// of Kubernetes. floodgate finds it beside itself or on PATH, and becomes it where it is
// needed.
package main

import (
	"io"
	"log/slog"
	"os"

	"k8s.io/klog/v2"

	"floodgate/bench/cli"
)

func main() {
	if code, ok := cli.Child(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); ok {
		os.Exit(code)
	}
	// The libraries log what they try again; what fails is an error.
	klog.SetSlogLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr, &plugin{}))
}
