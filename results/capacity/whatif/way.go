package whatif

import (
	"math"

	"floodgate/scenarios/pipeline"
)

// begin starts what the limits allow, a slot of each host in turn.
func (s *simulation) begin() {
	for any := true; any; {
		any = false
		for h := range s.hosts {
			if s.hosts[h].slots > 0 && s.hosts[h].left > 0 {
				s.start(int32(h))
				any = true
			}
		}
	}
}

// start takes an item into a free slot, if there are both.
func (s *simulation) start(h int32) {
	at := &s.hosts[h]
	if at.slots == 0 || at.left == 0 {
		return
	}
	at.slots--
	at.left--
	s.fly(at, 1)
	j := int32(len(s.jobs))
	if n := len(s.unused); n > 0 {
		j, s.unused = s.unused[n-1], s.unused[:n-1]
	} else {
		s.jobs = append(s.jobs, job{})
	}
	s.jobs[j] = job{began: s.now, since: s.now, number: s.started, host: h, next: none}
	s.started++
	if s.enter(&at.conns, j) {
		s.pass(j)
	}
}

// fly counts items in flight.
func (s *simulation) fly(at *host, by int) {
	s.area += float64(s.flying) * (float64(s.now) - s.changed)
	s.changed = float64(s.now)
	s.flying += by
	at.flying += by
	s.peak, at.peak = max(s.peak, s.flying), max(at.peak, at.flying)
}

// pass takes j, which has a connection, to the upstream's rate limit.
func (s *simulation) pass(j int32) {
	s.spend(stageConn, j)
	if s.interval == 0 {
		s.request(j)
		return
	}
	s.admit = max(s.admit, float64(s.now))
	at := int64(math.Ceil(s.admit))
	s.admit += s.interval
	s.events.push(event{at, j, admitted})
}

// request takes j to the upstream.
func (s *simulation) request(j int32) {
	s.spend(stageRate, j)
	if s.enter(&s.upstream, j) {
		s.serve(j)
	}
}

func (s *simulation) serve(j int32) {
	s.spend(stageUpstream, j)
	s.events.push(event{s.now + s.draw(s.m.Fetch, s.fetchPart[s.jobs[j].number]), j, fetched})
}

// fetched hands j on to be written.
func (s *simulation) fetched(j int32) {
	s.spend(stageFetch, j)
	h := s.jobs[j].host
	at := &s.hosts[h]
	at.unfetched--
	if next, ok := s.exit(&s.upstream); ok {
		s.serve(next)
	}
	if next, ok := s.exit(&at.conns); ok {
		s.pass(next)
	}
	switch s.writing {
	case pipeline.WritesApart:
		s.stage(h, j)
	case pipeline.WritesAfterwards: // written in the order of the answers here, not of the items
		s.join(&at.ready, j)
		if at.unfetched == 0 {
			at.writers = 1
			s.next(h)
		}
		at.slots++
		s.start(h)
	default:
		s.write(j)
	}
}

// stage gives j to a writer, or leaves it in the queue, or keeps the slot until there is a place.
func (s *simulation) stage(h, j int32) {
	at := &s.hosts[h]
	if at.writers == 0 && at.ready.length >= at.queue {
		s.join(&at.blocked, j)
		return
	}
	s.join(&at.ready, j)
	s.next(h)
	at.slots++
	s.start(h)
}

// next gives what waits to a writer that is free, and the place of it to what is blocked.
func (s *simulation) next(h int32) {
	at := &s.hosts[h]
	if at.writers == 0 {
		return
	}
	j, ok := s.leave(&at.ready)
	unblocked := false
	if other, waits := s.leave(&at.blocked); waits {
		unblocked = true
		if ok {
			s.join(&at.ready, other)
		} else {
			j, ok = other, true
		}
	}
	if ok {
		at.writers--
		s.write(j)
	}
	if unblocked {
		at.slots++
		s.start(h)
	}
}

// write asks for a connection to the database.
func (s *simulation) write(j int32) {
	s.spend(stageHandoff, j)
	if s.enter(&s.hosts[s.jobs[j].host].pool, j) {
		s.checkout(j)
	}
}

// checkout takes the time to get the connection, which was made or is free.
func (s *simulation) checkout(j int32) {
	at, d := &s.hosts[s.jobs[j].host], s.m.Checkout
	if at.made < at.pool.busy {
		at.made++
		d = s.m.Connect
	}
	wait := int64(0)
	if d.table != nil {
		wait = int64(math.Round(d.quantile(s.random.Float64())))
	}
	if wait > 0 {
		s.events.push(event{s.now + wait, j, connected})
		return
	}
	s.connected(j)
}

// connected takes j to the database.
func (s *simulation) connected(j int32) {
	s.spend(stagePool, j)
	if s.enter(&s.database, j) {
		s.store(j)
	}
}

func (s *simulation) store(j int32) {
	s.spend(stageDatabase, j)
	if tenth := s.m.Items / 10; s.begun >= tenth && s.begun < s.m.Items-tenth {
		s.others += float64(s.database.busy - 1)
		s.counted++
	}
	s.begun++
	s.events.push(event{s.now + s.draw(s.m.Write, s.writePart[s.jobs[j].number]), j, wrote})
}

// wrote ends j.
func (s *simulation) wrote(j int32) {
	s.spend(stageWrite, j)
	h, took := s.jobs[j].host, s.now-s.jobs[j].began
	at := &s.hosts[h]
	s.fly(at, -1)
	s.total += float64(took)
	_ = s.times.RecordValue(min(took, int64(longest))) // in range
	s.unused = append(s.unused, j)
	if next, ok := s.exit(&s.database); ok {
		s.store(next)
	}
	if next, ok := s.exit(&at.pool); ok {
		s.checkout(next)
	}
	switch s.writing {
	case pipeline.WritesApart, pipeline.WritesAfterwards:
		at.writers++
		s.next(h)
	default:
		at.slots++
		s.start(h)
	}
}

// spend adds the time since j's last change to a stage.
func (s *simulation) spend(in int, j int32) {
	s.spent[in] += float64(s.now - s.jobs[j].since)
	s.jobs[j].since = s.now
}
