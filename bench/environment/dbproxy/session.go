package dbproxy

import (
	"bufio"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"floodgate/bench/environment/wire"
)

// session pairs a client's connection with one to the database.
type session struct {
	proxy  *Proxy
	client *net.TCPConn
	server net.Conn
	ctx    context.Context // ends with the session
	held   chan request
	queued atomic.Int64 // requests in held, or being passed on from there

	mu      sync.Mutex
	replies map[int32]reply // special treatment of answers, by the request's ID
}

// request is a message with the decisions of the link.
type request struct {
	message wire.Message
	traffic *traffic  // nil: the link adds nothing
	due     time.Time // when to pass it on; zero means at once
	reset   Reset
}

// reply describes the treatment of an answer.
type reply struct {
	traffic *traffic
	lost    bool
}

// receive reads the client's messages. It passes on those that are due and hands the others
// to forward.
func (s *session) receive() {
	defer close(s.held)
	r := bufio.NewReader(s.client)
	var buf []byte
	for {
		m, err := wire.Read(r, buf)
		if err != nil {
			return
		}
		q := s.proxy.admit(m)
		if s.queued.Load() == 0 && q.isDue() { // forward is idle and does not write at the same time
			if !s.pass(q) {
				return
			}
			buf = spare(m)
			continue
		}
		buf = nil
		s.queued.Add(1)
		select {
		case s.held <- q:
		case <-s.ctx.Done():
			return
		}
	}
}

// admit applies the link to a message that has arrived.
func (p *Proxy) admit(m wire.Message) request {
	q := request{message: m}
	if t := p.traffic.Load(); t != nil && touches(m) {
		q.traffic = t
		q.due, q.reset = t.admit(m, time.Now())
	}
	return q
}

func touches(m wire.Message) bool {
	return m.OpCode() == wire.OpCompressed || wire.TouchesDocuments(m.Command())
}

// spare returns the message's memory for the next one, unless it is too large to keep.
func spare(m wire.Message) []byte {
	const most = 64 << 10
	if cap(m) > most {
		return nil
	}
	return m
}

// forward passes on delayed messages when they are due.
func (s *session) forward() {
	for q := range s.held {
		if !q.isDue() && !s.sleepUntil(q.due) || !s.pass(q) {
			return
		}
		s.queued.Add(-1)
	}
}

func (q *request) isDue() bool { return q.due.IsZero() || time.Until(q.due) <= 0 }

func (s *session) sleepUntil(due time.Time) bool { return s.proxy.clock.SleepUntil(s.ctx, due) == nil }

// pass passes a request to the database, or resets the client instead. It returns false when
// the session is over.
func (s *session) pass(q request) bool {
	if t := q.traffic; t != nil {
		if q.reset == Before {
			t.before.Add(1)
			s.reset()
			return false
		}
		if answered := !q.message.MoreToCome(); answered && (q.reset == After || t.link.Bandwidth > 0) {
			s.mu.Lock()
			s.replies[q.message.RequestID()] = reply{t, q.reset == After}
			s.mu.Unlock()
		}
	}
	_, err := s.server.Write(q.message)
	return err == nil
}

// answers passes on the database's messages.
func (s *session) answers() {
	r := bufio.NewReader(s.server)
	var buf []byte
	for {
		m, err := wire.Read(r, buf)
		if err != nil {
			return
		}
		if a, special := s.reply(m.ResponseTo()); special {
			if a.lost {
				a.traffic.after.Add(1)
				s.reset()
				return
			}
			if due := a.traffic.down.reserve(time.Now(), len(m)); time.Until(due) > 0 && !s.sleepUntil(due) {
				return
			}
		}
		if _, err := s.client.Write(m); err != nil {
			return
		}
		buf = spare(m)
	}
}

// reply removes and returns the special treatment of the answer to a request, if any.
func (s *session) reply(to int32) (reply, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, special := s.replies[to]
	delete(s.replies, to)
	return a, special
}

// reset ends the client's connection with a TCP RST. The connection to the database is closed
// with the session.
func (s *session) reset() {
	_ = s.client.SetLinger(0)
	_ = s.client.Close()
}
