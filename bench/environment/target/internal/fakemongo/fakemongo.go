// Package fakemongo is a server for tests that adds TLS, authentication, or the role of a
// member of a replica set or sharded cluster to a MongoDB that has none of these.
package fakemongo

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/bench/environment/wire"
)

// Options configures a server.
type Options struct {
	// Backend is the database that receives the commands.
	Backend netip.AddrPort
	// TLS is the configuration of TLS; nil means that the server does not use it.
	TLS *tls.Config
	// User and Password are required (by SCRAM-SHA-256) for every command but the
	// handshake; empty means that no authentication is required.
	User, Password string
}

// Server is a running server.
type Server struct {
	options  Options
	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex
	announce bson.D
	conns    map[net.Conn]bool
	closed   bool
}

// Serve starts a server on a free port of 127.0.0.1. Close stops it.
func Serve(o Options) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, listener: l, conns: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	return s, nil
}

// Addr returns the address of the server.
func (s *Server) Addr() netip.AddrPort { return s.listener.Addr().(*net.TCPAddr).AddrPort() }

// Announce sets fields of the server's answers to handshakes, which replace those of the
// backend.
func (s *Server) Announce(fields bson.D) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.announce = fields
}

// Close closes the server and its connections, and waits for their goroutines.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.listener.Close()
	s.wg.Wait()
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		if !s.track(conn) {
			conn.Close()
			return
		}
		s.wg.Go(func() {
			defer s.forget(conn)
			client, err := s.secure(conn)
			if err == nil {
				_ = s.serve(client)
			}
		})
	}
}

// secure performs the TLS handshake, if the server uses TLS. After a failed handshake it
// reads until the client closes the connection: closing it with unread data would reset
// it, and the client could not read the alert.
func (s *Server) secure(conn net.Conn) (net.Conn, error) {
	if s.options.TLS == nil {
		return conn, nil
	}
	client := tls.Server(conn, s.options.TLS)
	err := client.Handshake()
	if err != nil {
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
	return client, err
}

func (s *Server) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = true
	return true
}

func (s *Server) forget(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// serve answers the requests of a connection one by one.
func (s *Server) serve(client net.Conn) error {
	backend, err := net.Dial("tcp", s.options.Backend.String())
	if err != nil {
		return err
	}
	defer backend.Close()
	in, out := bufio.NewReader(client), bufio.NewReader(backend)
	login := newLogin(s.options.User, s.options.Password)
	for {
		request, err := wire.Read(in, nil)
		if err != nil {
			return err
		}
		command := request.Command()
		answer := login.answer(command, request)
		if answer == nil {
			if _, err := backend.Write(request); err != nil {
				return err
			}
			if request.MoreToCome() {
				continue
			}
			if answer, err = wire.Read(out, nil); err != nil {
				return err
			}
			if wire.Hello(command) {
				if answer, err = s.introduce(answer); err != nil {
					return err
				}
			}
		}
		if _, err := client.Write(answer); err != nil {
			return err
		}
	}
}

// introduce adds the announced fields to the answer to a handshake.
func (s *Server) introduce(answer wire.Message) (wire.Message, error) {
	at := document(answer)
	if at == 0 {
		return nil, errors.New("answer without a document")
	}
	var fields bson.D
	if err := bson.Unmarshal(answer[at:], &fields); err != nil {
		return nil, err
	}
	s.mu.Lock()
	announce := s.announce
	s.mu.Unlock()
	if s.options.User != "" {
		announce = append(bson.D{{Key: "saslSupportedMechs", Value: bson.A{"SCRAM-SHA-256"}}}, announce...)
	}
	for _, field := range announce {
		fields = set(fields, field)
	}
	return replace(answer, at, fields)
}

// set replaces the element with the key of field, or adds it.
func set(d bson.D, field bson.E) bson.D {
	for i := range d {
		if d[i].Key == field.Key {
			d[i] = field
			return d
		}
	}
	return append(d, field)
}

// document returns the offset of the document in an answer, or in a request of one
// section; zero means that there is none.
func document(m wire.Message) int {
	switch m.OpCode() {
	case wire.OpReply:
		return 16 + 20
	case wire.OpMsg:
		return 16 + 4 + 1
	}
	return 0
}

// replace returns m with its bytes before at, followed by doc.
func replace(m wire.Message, at int, doc bson.D) (wire.Message, error) {
	body, err := bson.Marshal(doc)
	if err != nil {
		return nil, err
	}
	made := append(append(wire.Message{}, m[:at]...), body...)
	binary.LittleEndian.PutUint32(made, uint32(len(made)))
	return made, nil
}
