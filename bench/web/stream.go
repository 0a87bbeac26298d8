package web

import (
	"bytes"
	"net/http"
	"time"
)

// picture is a drawn state, as an event of a stream. It does not change.
type picture struct {
	fragment, event []byte
	next            time.Time // when another one may be drawn
}

// latest returns the newest picture, which it draws if the last one is too old.
func (s *Server) latest() (*picture, error) {
	s.drawing.Lock()
	defer s.drawing.Unlock()
	if s.picture != nil && time.Now().Before(s.picture.next) {
		return s.picture, nil
	}
	began := time.Now()
	fragment, err := s.state.now().Fragment()
	if err != nil {
		return nil, err
	}
	drawn := time.Now()
	s.picture = &picture{fragment: fragment, event: event("state", fragment), next: drawn.Add(max(s.every, drawShare*drawn.Sub(began)))}
	return s.picture, nil
}

// event formats an event of a stream.
func event(name string, data []byte) []byte {
	var out bytes.Buffer
	out.WriteString("event: " + name + "\n")
	for line := range bytes.Lines(data) {
		out.WriteString("data: ")
		out.Write(bytes.TrimRight(line, "\r\n"))
		out.WriteByte('\n')
	}
	if len(data) == 0 {
		out.WriteString("data:\n")
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// events sends the pictures to one page until the run is over.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if !s.follow() {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer s.unfollow()
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	var sent *picture
	for {
		p, err := s.latest()
		if err != nil {
			return
		}
		if p != sent {
			if s.write(w, p.event) != nil {
				return
			}
			sent = p
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-s.ended:
			_ = s.write(w, s.last()) // the reader may have gone
			return
		}
	}
}

// follow counts a page that follows the run, unless there are too many.
func (s *Server) follow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams == maxStreams {
		return false
	}
	s.streams++
	return true
}

func (s *Server) unfollow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams--
}

// last returns the last event of a stream: whether there is a report.
func (s *Server) last() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.report == nil {
		return event("over", nil)
	}
	return event("report", nil)
}
