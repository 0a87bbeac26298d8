package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/environment"
	"floodgate/bench/environment/embedmongo"
	"floodgate/bench/environment/scratch"
	"floodgate/mockupstream"
)

func newUpstream(stdout, stderr io.Writer) *cobra.Command {
	var addr, profile string
	var seed uint64
	var control bool
	var record recordOptions
	cmd := &cobra.Command{
		Use:   "upstream",
		Short: "Serve the mock upstream alone, or learn its profile",
		Example: `  floodgate upstream --addr 127.0.0.1:8080
  floodgate upstream --profile slow.yaml --control
  floodgate upstream --record http://127.0.0.1:9000 --out learned.yaml --for 5m`,
		Long: `Serves the mock upstream on loopback until it is interrupted:

  GET /items/KEY   an answer after the profile's delay, or one of its faults
  GET /stats       its statistics, as JSON
  GET /metrics     the same for Prometheus

Every draw is a pure function of the seed, the key and the attempt.

With --record it forwards every request to that URL instead, and records times,
sizes and statuses, but no paths, headers or bodies. When it is interrupted, it
writes a profile and prints how well the mock reproduces the recording. A host
other than this machine must be named with --allow-target, too.

Exit code 4 means that the address is taken, or that too little was recorded.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := mockupstream.CheckLoopback(addr); err != nil {
				return command.Usage(err)
			}
			if err := record.check(cmd.Flags()); err != nil {
				return command.Usage(err)
			}
			if record.url != "" {
				record.addr = addr
				return record.run(cmd.Context(), stdout, stderr)
			}
			var p mockupstream.Profile
			if profile != "" {
				var err error
				if p, err = mockupstream.LoadProfile(profile); err != nil {
					if info, statErr := os.Stat(profile); statErr == nil && info.IsDir() {
						err = fmt.Errorf("--profile %s is a folder: name a YAML file", profile)
					}
					return command.Usage(command.MissingFile("--profile", profile, err))
				}
			}
			u, err := mockupstream.New(p, seed)
			if err != nil {
				return command.Usage(err)
			}
			defer u.Close()
			server, err := mockupstream.Serve(cmd.Context(), mockupstream.ServerOptions{Addr: addr, Control: control}, u)
			if err != nil {
				return command.NotMeasured(withAdvice(err))
			}
			fmt.Fprintf(stderr, "mock upstream on %s (seed %d); Ctrl-C ends it\n", server.URL(), seed)
			<-cmd.Context().Done()
			return server.Close()
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "", "YAML `file` with the profile (default answers at once)")
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:0", "loopback `address` to listen on; port 0 picks a free one")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of every draw")
	cmd.Flags().BoolVar(&control, "control", false, "allow PUT /profile")
	record.register(cmd)
	return cmd
}

func newMongo(stderr io.Writer) *cobra.Command {
	var addr, data string
	cmd := &cobra.Command{
		Use:   "mongo",
		Short: "Serve the embedded MongoDB alone, until interrupted",
		Example: `  floodgate mongo
  floodgate mongo --addr 127.0.0.1:0 --data ./data`,
		Long: `Serves the embedded MongoDB (FerretDB on SQLite, wire protocol over TCP) on
loopback until it is interrupted. Without --data its folder is temporary. One
process at a time uses a folder; exit code 4 means that another one does, or
that the address is taken.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := mockupstream.CheckLoopback(addr); err != nil {
				return command.Usage(err)
			}
			return serveMongo(cmd, stderr, addr, data)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:27017", "loopback `address` to listen on; port 0 picks a free one")
	cmd.Flags().StringVar(&data, "data", "", "`folder` of the data, kept afterwards")
	return cmd
}

// withAdvice adds advice to the error of a server that did not start.
func withAdvice(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, scratch.ErrLocked):
		return fmt.Errorf("%w; end that process, or name another folder with --data", err)
	case errors.As(err, &op) && op.Op == "listen":
		return fmt.Errorf("%w; --addr 127.0.0.1:0 picks a free port", err)
	}
	return err
}

func serveMongo(cmd *cobra.Command, stderr io.Writer, addr, data string) error {
	if data == "" {
		if _, err := scratch.Sweep("", environment.DataPrefix); err != nil {
			fmt.Fprintln(stderr, "floodgate: could not remove old temporary folders:", err)
		}
		folder, err := scratch.New("", environment.DataPrefix)
		if err != nil {
			return command.NotMeasured(err)
		}
		defer func() {
			if err := folder.Remove(); err != nil {
				fmt.Fprintln(stderr, "floodgate: could not remove the data folder:", err)
			}
		}()
		data = folder.Path()
	}
	server, err := embedmongo.Serve(cmd.Context(), embedmongo.Options{Addr: addr, Dir: data})
	if err != nil {
		return command.NotMeasured(withAdvice(err))
	}
	fmt.Fprintf(stderr, "embedded MongoDB (%s) on %s; Ctrl-C ends it\n", embedmongo.Version(), server.URI())
	<-server.Done() // it ends with the context
	err = server.Close()
	if cmd.Context().Err() == nil {
		return command.NotMeasured(errors.Join(errors.New("the embedded MongoDB ended unexpectedly"), err))
	}
	return err
}
