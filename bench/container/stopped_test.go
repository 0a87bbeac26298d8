//go:build linux

package container_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/moby/client"
)

// dockerd is an engine of a test, which can be stopped.
type dockerd struct {
	// host is its value of DOCKER_HOST.
	host string
	// stop stops it like "systemctl stop docker".
	stop func()
}

// startDockerd starts an engine with its own data, state, namespaces of containerd, and
// bridge; without the bridge it could not publish ports.
func startDockerd(t *testing.T) dockerd {
	t.Helper()
	connect(t) // another engine can run only where there is one
	for _, name := range []string{"dockerd", "ip"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("an engine of its own needs root")
	}
	dir, err := os.MkdirTemp("", "fgd") // short, because the names of sockets must be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	name := "fg" + strings.ToLower(rand.Text()[:8])
	bridge(t, name)
	d := dockerd{host: "unix://" + filepath.Join(dir, "sock")}
	var log bytes.Buffer
	cmd := exec.Command("dockerd", "--host", d.host, "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--containerd-namespace", name, "--containerd-plugins-namespace", name+"-plugins",
		"--bridge", name, "--iptables=false", "--ip-forward=false", "--ip-masq=false", "--config-file", filepath.Join(dir, "none.json"))
	if err := os.WriteFile(filepath.Join(dir, "none.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	d.stop = func() { cmd.Process.Signal(syscall.SIGTERM); <-ended }
	t.Cleanup(d.stop)
	c, err := client.New(client.WithHost(d.host))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	until(t, "the engine answers", func() bool {
		select {
		case <-ended:
			t.Fatalf("the engine ended:\n%s", log.String())
		default:
		}
		_, err := c.Ping(t.Context(), client.PingOptions{})
		return err == nil
	})
	return d
}

// bridge creates a network bridge with the name on an unused subnet.
func bridge(t *testing.T, name string) {
	t.Helper()
	ip := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := ip("link", "add", name, "type", "bridge"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := ip("link", "delete", name); err != nil {
			t.Error(err)
		}
	})
	if err := ip("addr", "add", freeSubnet(t), "dev", name); err != nil {
		t.Fatal(err)
	}
	if err := ip("link", "set", name, "up"); err != nil {
		t.Fatal(err)
	}
}

// freeSubnet returns an address in a subnet that no interface has.
func freeSubnet(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for n := 200; n < 250; n++ {
		taken := false
		for _, a := range addrs {
			if network, ok := a.(*net.IPNet); ok && network.Contains(net.IPv4(10, 213, byte(n), 1)) {
				taken = true
			}
		}
		if !taken {
			return fmt.Sprintf("10.213.%d.1/24", n)
		}
	}
	t.Skip("no subnet is free")
	return ""
}

// The containers end with their engine. That is noticed and reported, and nothing waits
// forever.
func TestTheEngineIsStopped(t *testing.T) {
	d := startDockerd(t)
	o := startOwner(t, "DOCKER_HOST="+d.host)
	d.stop()
	printed := o.end()
	for _, want := range []string{"stand-in ended: ", "I serve", "could not remove container", d.host} {
		if !strings.Contains(printed, want) {
			t.Errorf("no %q in: %s", want, printed)
		}
	}
}
