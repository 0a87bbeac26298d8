// Package fakemongo puts in front of a MongoDB without any of it, for tests:
// TLS, authentication, and a place in a replica set or sharded cluster.
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

// Options of a server.
type Options struct {
	// Backend is the database that commands go to.
	Backend netip.AddrPort
	// TLS is how the server speaks it. Nil: plain.
	TLS *tls.Config
	// User and Password are asked for (SCRAM-SHA-256) before any command but
	// the handshake. Empty: nobody is asked.
	User, Password string
}

// Server is one server.
type Server struct {
	options  Options
	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex
	announce bson.D
	conns    map[net.Conn]bool
	accepted int
	closed   bool
}

// Serve serves on 127.0.0.1 until Close.
func Serve(o Options) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, listener: l, conns: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.listener.Addr().(*net.TCPAddr).AddrPort() }

// Announce sets what the server's handshakes say of it, beside or in place of
// what the backend says.
func (s *Server) Announce(fields bson.D) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.announce = fields
}

// Accepted counts connections.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Close ends the server and its connections, and waits for them.
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

// secure begins TLS, if the server speaks it. A client that is refused gets to
// read why: closing with something of its unread would reset the connection.
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
	s.accepted++
	return true
}

func (s *Server) forget(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// serve answers one request after another.
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

// introduce puts the announcement into the answer to a handshake.
func (s *Server) introduce(answer wire.Message) (wire.Message, error) {
	at := document(answer)
	if at == 0 {
		return nil, errors.New("answer without a document")
	}
	var said bson.D
	if err := bson.Unmarshal(answer[at:], &said); err != nil {
		return nil, err
	}
	s.mu.Lock()
	announce := s.announce
	s.mu.Unlock()
	if s.options.User != "" {
		announce = append(bson.D{{Key: "saslSupportedMechs", Value: bson.A{"SCRAM-SHA-256"}}}, announce...)
	}
	for _, field := range announce {
		said = set(said, field)
	}
	return replace(answer, at, said)
}

// set replaces the element of that name, or adds it.
func set(d bson.D, field bson.E) bson.D {
	for i := range d {
		if d[i].Key == field.Key {
			d[i] = field
			return d
		}
	}
	return append(d, field)
}

// document is where the document of an answer, or of a request of one section,
// begins; 0: nowhere.
func document(m wire.Message) int {
	switch m.OpCode() {
	case wire.OpReply:
		return 16 + 20
	case wire.OpMsg:
		return 16 + 4 + 1
	}
	return 0
}

// replace makes a message with the same begin and another document.
func replace(m wire.Message, at int, doc bson.D) (wire.Message, error) {
	body, err := bson.Marshal(doc)
	if err != nil {
		return nil, err
	}
	made := append(append(wire.Message{}, m[:at]...), body...)
	binary.LittleEndian.PutUint32(made, uint32(len(made)))
	return made, nil
}
