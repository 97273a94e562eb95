package scenario

import (
	"strconv"
	"strings"
	"syscall"
	"time"

	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/load"
	"lattice/tests/robustness/report"
)

// Faults that need to know who leads, or take several connections of one node.

// cutOff leaves a node with its clients alone.
func (p *Plan) cutOff(at time.Duration, node int, long time.Duration) {
	p.add(at, func(r *Run) {
		n := r.cluster.Nodes[r.resolve(node)]
		for _, proxy := range []interface{ Blackhole(bool) }{n.Store, n.Fanout, n.Peer} {
			proxy.Blackhole(true)
			defer proxy.Blackhole(false)
		}
		time.Sleep(long)
		// What was said meanwhile is not heard later.
		n.Store.Cut()
		n.Fanout.Cut()
	}, "blackhole between %s and everything but its clients for %v", nodeName(node), long)
}

// slowLeader delays what the leader and PostgreSQL say to each other, so much that others may take over meanwhile, and
// keeps the news from it.
func (p *Plan) slowLeader(at, delay, long time.Duration) {
	p.add(at, func(r *Run) {
		n := r.cluster.Nodes[r.whoLeads()]
		n.Fanout.Blackhole(true)
		defer n.Fanout.Blackhole(false)
		n.Store.Delay(delay)
		defer n.Store.Delay(0)
		time.Sleep(long)
	}, "delay of %v between the leader and PostgreSQL, blackhole between it and Redis, for %v", delay, long)
}

// farFollowers delays the questions to the leader, and leaves all without Redis.
func (p *Plan) farFollowers(at, delay, long time.Duration) {
	p.add(at, func(r *Run) {
		for _, node := range r.cluster.Nodes {
			node.Fanout.Blackhole(true)
			defer node.Fanout.Blackhole(false)
		}
		n := r.cluster.Nodes[r.whoLeads()]
		n.Peer.Delay(delay)
		defer n.Peer.Delay(0)
		time.Sleep(long)
	}, "delay of %v between the leader and its peers, blackhole between all and Redis, for %v", delay, long)
}

// backendOf is the process in PostgreSQL that serves a node's connection of that purpose, or 0.
func (r *Run) backendOf(n *cluster.Node, purpose string) int {
	ports := []string{"0"}
	for _, port := range n.Store.Ports() {
		ports = append(ports, strconv.Itoa(port))
	}
	found, err := r.cluster.Pair.Primary.Query("SELECT pid FROM pg_stat_activity WHERE application_name = 'lattice " + purpose +
		"' AND client_port IN (" + strings.Join(ports, ",") + ")")
	if err != nil || len(found) == 0 {
		return 0
	}
	pid, _ := strconv.Atoi(found[0])
	return pid
}

// zombie stops the backend that appends for the leader, lets the leader lose its connections, and has the backend carry
// out what it was sent about when the leader looks for it on a new one.
func (p *Plan) zombie(at, late time.Duration) {
	p.add(at, func(r *Run) {
		n := r.cluster.Nodes[r.whoLeads()]
		pid := r.backendOf(n, "append")
		if pid == 0 {
			return
		}
		syscall.Kill(pid, syscall.SIGSTOP)
		time.Sleep(25 * time.Millisecond)
		n.Store.Cut()
		time.Sleep(late)
		syscall.Kill(pid, syscall.SIGCONT)
		r.counts.Add(report.Pauses, 1)
	}, "SIGSTOP of the leader's appending backend, cut between the leader and PostgreSQL, SIGCONT %v later", late)
}

// pauseSession stops the PostgreSQL backend that renews the leader's session, and lets it have no other: others take
// over, while everything else of the old leader works.
func (p *Plan) pauseSession(at, long time.Duration) {
	p.add(at, func(r *Run) {
		n := r.cluster.Nodes[r.whoLeads()]
		pid := r.backendOf(n, "session")
		if pid == 0 {
			return
		}
		n.Store.Refuse(true)
		defer n.Store.Refuse(false)
		syscall.Kill(pid, syscall.SIGSTOP)
		time.Sleep(long)
		syscall.Kill(pid, syscall.SIGCONT)
		r.counts.Add(report.Pauses, 1)
	}, "SIGSTOP of the PostgreSQL backend of the leader's session, and no new ones for it, for %v", long)
}

// leaveBehind stops a follower, compacts up to the head, and lets the follower go on without what Redis has told it.
func (p *Plan) leaveBehind(at, long time.Duration) {
	p.add(at, func(r *Run) {
		leads := r.whoLeads()
		n, release := r.holdingNode((leads + 1) % cluster.Nodes)
		defer release()
		n.Fanout.Blackhole(true)
		compacted := make(chan bool)
		go func() {
			time.Sleep(long)
			load.CompactTo(r.recorder, leads, r.tap.Position(), true)
			close(compacted)
		}()
		n.PauseUntil(compacted)
		r.counts.Add(report.Pauses, 1)
		n.Fanout.Blackhole(false)
		n.Fanout.Cut()
	}, "SIGSTOP of a follower for %v and until the log is compacted up to its head", long)
}

// moveLeader lets another node lead, while the one that has led until then hears from PostgreSQL a little late, and
// nothing from Redis.
func (p *Plan) moveLeader(at, delay time.Duration) {
	p.add(at, func(r *Run) {
		n := r.cluster.Nodes[r.whoLeads()]
		n.Store.Delay(delay)
		time.Sleep(3 * delay)
		if load.MoveLeader(r.recorder, n.Number) == nil {
			r.counts.Add("leaders_moved", 1)
		}
		n.Fanout.Blackhole(true)
		time.Sleep(5 * delay)
		n.Fanout.Blackhole(false)
		n.Store.Delay(0)
	}, "the leader is asked to let the next node lead, with a delay of %v between it and PostgreSQL", delay)
}

// jumpClock sets a node's wall clock.
func (p *Plan) jumpClock(at time.Duration, node int, by time.Duration) {
	p.add(at, func(r *Run) {
		if err := r.cluster.Nodes[r.resolve(node)].ShiftClock(by); err != nil {
			r.violation("process", "%v", err)
		}
		r.counts.Add("clock_jumps", 1)
	}, "the wall clock of %s jumps to %v from the machine's", nodeName(node), by)
}
