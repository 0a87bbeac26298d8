package environment

import (
	"context"
	"errors"
	"fmt"
	"os"

	"floodgate/bench/environment/embedmongo"
	"floodgate/mockupstream"
)

// Where the servers in our own images listen, and the database's data.
const (
	upstreamPort = 8080
	mongoPort    = 27017
	mongoData    = "/data/db"
)

// listeningPhrase is what MongoDB of every version logs once it listens, in
// upper or lower case, and the main programs of our containers print.
const listeningPhrase = "waiting for connections"

var errNotContained = errors.New("this is the main program of a container: it listens on every interface and asks nobody for a password; use upstream or mongo")

// mainOfContainer refuses to serve on every interface of anything but a container,
// where the main program is process 1.
func mainOfContainer() error {
	if os.Getpid() != 1 {
		return errNotContained
	}
	return nil
}

func (c *helper) announce(port int) {
	fmt.Fprintf(c.stderr, "%s on port %d\n", listeningPhrase, port)
}

func everywhere(port int) string { return fmt.Sprintf("0.0.0.0:%d", port) }

func (c *helper) upstreamContainer(ctx context.Context, args []string) error {
	if err := errors.Join(c.flags(upstreamName).Parse(args), mainOfContainer()); err != nil {
		return err
	}
	u, err := mockupstream.New(mockupstream.Profile{}, 0)
	if err != nil {
		return err
	}
	defer u.Close()
	s, err := mockupstream.Serve(ctx, mockupstream.ServerOptions{Addr: everywhere(upstreamPort), Everywhere: true, Control: true}, u)
	if err != nil {
		return err
	}
	c.announce(upstreamPort)
	<-ctx.Done()
	return s.Close()
}

func (c *helper) mongoContainer(ctx context.Context, args []string) error {
	flags := c.flags(mongoName)
	dir := flags.String("dbpath", mongoData, "data folder")
	if err := errors.Join(flags.Parse(args), mainOfContainer()); err != nil {
		return err
	}
	s, err := embedmongo.Serve(ctx, embedmongo.Options{Addr: everywhere(mongoPort), Everywhere: true, Dir: *dir, Logger: c.log})
	if err != nil {
		return err
	}
	c.announce(mongoPort)
	<-s.Done() // it ends with the context
	err = s.Close()
	if ctx.Err() == nil {
		return errors.Join(errors.New("the server ended by itself"), err)
	}
	return err
}
