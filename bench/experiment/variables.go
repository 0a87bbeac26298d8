package experiment

import (
	"fmt"
	"os"
	"strconv"

	"floodgate/bench/sut"
	"floodgate/scenarios"
)

// variables are the values of {{name}} in texts of a trial.
type variables map[string]string

// variables returns those of a variant, and those of every program.
func (r *Trials) variables(s *scenarios.Scenario, v scenarios.Variant) variables {
	values := variables(v.Variables())
	values[scenarios.VariableNoFile] = strconv.Itoa(s.SUT.NoFile)
	upstream, database := r.Environment.UpstreamURL(), r.Environment.MongoURI()
	if s.SUT.Container.Port > 0 || r.Launcher != nil {
		upstream, database = r.Environment.Bridged()
	}
	values[scenarios.VariableUpstreamURL], values[scenarios.VariableDatabaseURI] = upstream, database
	values[scenarios.VariableDatabaseName] = r.Database
	return values
}

// expand replaces the variables of a text, those of more first, and then those of the
// environment, which lookup returns.
func (values variables) expand(text string, more map[string]string, lookup func(string) (string, bool)) (string, error) {
	expanded, err := scenarios.Expand(text, func(name string) (string, bool) {
		if v, ok := more[name]; ok {
			return v, true
		}
		v, ok := values[name]
		return v, ok
	})
	if err != nil {
		return "", err
	}
	return scenarios.ExpandEnvironment(expanded, lookup)
}

// fill sets the command and the environment of a program.
func (values variables) fill(o *sut.Options, s scenarios.SUT) error {
	o.Command = nil
	for i, text := range s.Command {
		word, err := values.expand(text, nil, os.LookupEnv)
		if err != nil {
			return fmt.Errorf("sut.command[%d]: %w", i, err)
		}
		o.Command = append(o.Command, word)
	}
	for name, v := range s.Env {
		value, err := values.expand(scenarios.Text(v), nil, os.LookupEnv)
		if err != nil {
			return fmt.Errorf("sut.env.%s: %w", name, err)
		}
		o.Env = append(o.Env, name+"="+value)
	}
	return nil
}
