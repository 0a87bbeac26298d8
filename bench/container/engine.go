// Package container runs our own programs and a MongoDB in Docker containers
// that leave nothing behind.
package container

import (
	"github.com/moby/moby/client"
	_ "github.com/testcontainers/testcontainers-go/modules/mongodb" // to be used
	_ "github.com/xdg-go/scram"
)

// Engine is a container engine that answers.
type Engine struct {
	client *client.Client
}
