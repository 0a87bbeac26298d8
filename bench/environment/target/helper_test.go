package target_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"floodgate/bench/environment/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// public is an address that is not assigned to anybody (TEST-NET-3, RFC 5737). The tests
// send nothing to it.
const public = "203.0.113.5"

// zone holds the records of a DNS server by fully qualified name.
type zone struct {
	// addrs holds the lists of addresses of a name. Each query is answered with the next
	// list; the last one repeats.
	addrs map[string][][]string
	srv   map[string][]dnsmessage.SRVResource
	txt   map[string][]string
}

// dns serves a zone on loopback and returns a resolver that uses only this server.
func dns(t *testing.T, z zone) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { conn.Close(); wg.Wait() })
	wg.Go(func() {
		queries := map[string]int{}
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := z.answer(buf[:n], queries); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (z zone) answer(question []byte, queries map[string]int) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionAvailable: true},
		Questions: m.Questions,
	}
	add := func(body dnsmessage.ResourceBody) {
		reply.Answers = append(reply.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: body,
		})
	}
	name := q.Name.String()
	switch q.Type {
	case dnsmessage.TypeA:
		lists := z.addrs[name]
		if len(lists) > 0 {
			for _, a := range lists[min(queries[name], len(lists)-1)] {
				add(&dnsmessage.AResource{A: netip.MustParseAddr(a).As4()})
			}
			queries[name]++
		}
	case dnsmessage.TypeSRV:
		for _, r := range z.srv[name] {
			add(&r)
		}
	case dnsmessage.TypeTXT:
		for _, text := range z.txt[name] {
			add(&dnsmessage.TXTResource{TXT: []string{text}})
		}
	}
	if len(reply.Answers) == 0 && len(z.addrs[name]) == 0 {
		reply.RCode = dnsmessage.RCodeNameError
	}
	packed, err := reply.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

// listen counts the connections to a port of loopback, and closes each at once.
func listen(t *testing.T) (addr netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// allow returns a policy that allows the hosts and uses the resolver.
func allow(r *net.Resolver, hosts ...string) target.Policy {
	return target.Policy{Allowed: hosts, Resolver: r}
}
