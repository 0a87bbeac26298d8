package environment

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"floodgate/bench/container"
	"floodgate/bench/environment/embedmongo"
	"floodgate/mockupstream"
	"floodgate/results"
)

// containers runs upstream and database in containers.
type containers struct{ *Environment }

func (c containers) startUpstream(ctx context.Context) (*upstream, error) {
	image, err := c.options.Engine.Build(ctx, container.RoleUpstream, c.options.Executable, c.options.Note)
	if err != nil {
		return nil, err
	}
	r, err := c.options.Engine.Start(ctx, container.Spec{
		Name: upstreamName, Image: image, Port: fmt.Sprintf("%d/tcp", upstreamPort), Limits: c.options.Limits.Upstream, Cores: c.options.Cores, Listening: listeningPhrase,
		Ready: c.ready, ReadyTimeout: c.options.ReadyTimeout, Log: filepath.Join(c.options.LogDir, upstreamName+".log"),
	})
	if err != nil {
		return nil, err
	}
	return ourUpstream(contained{r}), nil
}

func (c containers) startMongo(ctx context.Context) (*database, error) {
	image, err := c.mongoImage(ctx)
	if err != nil {
		return nil, err
	}
	r, err := c.options.Engine.Start(ctx, container.Spec{
		Name: "database", Image: image, Mongo: true, Port: fmt.Sprintf("%d/tcp", mongoPort),
		Args: c.options.MongoArgs, Limits: c.options.Limits.Database, Cores: c.options.Cores, Tmpfs: c.tmpfs(), Listening: listeningPhrase,
		Ready:        func(ctx context.Context, a netip.AddrPort) error { return c.ping(ctx, mongoURI(a)) },
		ReadyTimeout: c.options.ReadyTimeout, Log: filepath.Join(c.options.LogDir, mongoName+".log"),
	})
	if err != nil {
		return nil, err
	}
	version := "" // unknown until the server is asked
	if c.options.MongoImage == OwnImage {
		version = embedmongo.Version() // FerretDB as a library does not know its own
	}
	return ourDatabase(contained{r}, version), nil
}

// tmpfs returns the mount of the data in memory if their size is bounded.
func (c containers) tmpfs() map[string]string {
	if c.options.DataSize == 0 {
		return nil
	}
	return map[string]string{mongoData: fmt.Sprintf("size=%d", c.options.DataSize)}
}

// mongoImage builds or pulls the database's image.
func (c containers) mongoImage(ctx context.Context) (string, error) {
	image := c.options.MongoImage
	if image == OwnImage {
		return c.options.Engine.Build(ctx, container.RoleMongo, c.options.Executable, c.options.Note)
	}
	if err := c.options.Engine.Pull(ctx, image, c.options.Note); err != nil {
		return "", fmt.Errorf("%w; load it from a file (docker load), choose another with --mongo-image, or use --mongo-image embedded, which is made from this program", err)
	}
	return image, nil
}

func (containers) describe(d *results.Environment, u *upstream, m *database) {
	d.Kind = Containers
	if u != nil {
		d.Containers = append(d.Containers, u.server.(contained).Describe())
	}
	if m != nil {
		d.Containers = append(d.Containers, m.server.(contained).Describe())
	}
}

// contained is a server in a container.
type contained struct{ *container.Running }

func (c contained) Addrs() []netip.AddrPort { return []netip.AddrPort{c.Addr()} }

// Ports of the servers in the built-in images, and the directory of the database's data.
const (
	upstreamPort = 8080
	mongoPort    = 27017
	mongoData    = "/data/db"
)

// listeningPhrase is the phrase, in upper or lower case, that MongoDB of every version
// logs once it listens. The programs in the built-in images print it, too.
const listeningPhrase = "waiting for connections"

var errNotContained = errors.New("this is the main program of a container: it listens on every interface without a password; use upstream or mongo")

// mainOfContainer returns an error unless this process is the main program of a
// container, process 1, because it serves on every interface.
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
	s, err := mockupstream.Serve(ctx, mockupstream.ServerOptions{Addr: everywhere(upstreamPort), AllInterfaces: true, Control: true}, u)
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
	s, err := embedmongo.Serve(ctx, embedmongo.Options{Addr: everywhere(mongoPort), AllInterfaces: true, Dir: *dir, Logger: c.log})
	if err != nil {
		return err
	}
	c.announce(mongoPort)
	<-s.Done() // it ends with the context
	err = s.Close()
	if ctx.Err() == nil {
		return errors.Join(errors.New("the server ended unexpectedly"), err)
	}
	return err
}
