package sut

import (
	"floodgate/bench/container"
	"floodgate/scenarios"
)

// ContainerOptions say how to run our own SUT in a container.
type ContainerOptions struct {
	Engine *container.Engine
	// Image of container.RoleSUT.
	Image  string
	Limits scenarios.Limits
}
