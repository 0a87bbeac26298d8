package load

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func TestErrorTypes(t *testing.T) {
	dial := func(err error) string {
		return fmt.Sprintf("Post %q: %v", "http://127.0.0.1:1/reports", &net.OpError{Op: "dial", Net: "tcp", Err: err})
	}
	for _, c := range []struct {
		text string
		want string
	}{
		{dial(os.NewSyscallError("socket", syscall.EMFILE)), "emfile"},
		{dial(os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)), "ports"},
		{"dial tcp 127.0.0.1:1: connect: can't assign requested address", "ports"},
		{"dial tcp 127.0.0.1:1: connectex: Only one usage of each socket address (protocol/network address/port) is normally permitted.", "ports"},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "refused"},
		{"no route to host", "other"},
	} {
		if got := errorType(&vegeta.Result{Error: c.text}, nil); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}
