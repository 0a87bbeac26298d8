package scenarios

import "floodgate/mockupstream/strictyaml"

// InPods returns what keeps the SUT of a scenario from running in the pods of a cluster, and
// its load from coming from there; nil means nothing. The errors have paths, but no
// positions: see [CheckFile].
func (s *Scenario) InPods() strictyaml.Errors {
	var found strictyaml.Errors
	say := func(path, format string, args ...any) { found = append(found, problem(path, format, args...)) }
	u := s.SUT
	switch {
	case u.Runs():
		say("sut", "is a service that runs already, and --env kubernetes starts the system under test in a pod; use --env embedded")
		return found
	case len(u.Command) > 0 && u.Container.Image == "":
		say("sut", "needs sut.container.image, because --env kubernetes runs sut.command in a pod: add container: {image: …} with an image that has the program")
	case len(u.Command) == 0 && u.Container.Image != "":
		say("sut", "needs sut.command, because --env kubernetes replaces the entrypoint of sut.container.image in order to set sut.nofile; add the command of the entrypoint")
	}
	if u.Addr != "" {
		say("sut.addr", "does not apply to a pod, in which the service listens on {{addr}}; remove it, and name a fixed port as sut.container.port")
	}
	if s.Service != nil && s.Service.TLS != nil {
		say("service.tls", "does not work with --env kubernetes, because the certificates of a service are not for the address of its pod; remove it, or use --env embedded")
	}
	return found
}
