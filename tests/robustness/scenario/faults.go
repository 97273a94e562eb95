package scenario

import (
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"time"

	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/load"
	"lattice/tests/robustness/report"
)

// carryOut begins each step at its time; it returns when all have ended and the load has had its time.
func (r *Run) carryOut() {
	began := time.Now()
	var running sync.WaitGroup
	for _, step := range r.plan.Steps {
		time.Sleep(time.Until(began.Add(step.At)))
		running.Add(1)
		go func() {
			defer running.Done()
			step.run(r)
		}()
	}
	time.Sleep(time.Until(began.Add(r.plan.Length + r.options.Calm)))
	running.Wait()
}

// holding keeps two faults from handling one process at a time: the second waits.
func (r *Run) holding(what string) func() {
	r.mutex.Lock()
	lock := r.locks[what]
	if lock == nil {
		lock = &sync.Mutex{}
		r.locks[what] = lock
	}
	r.mutex.Unlock()
	lock.Lock()
	return lock.Unlock
}

func (r *Run) holdingNode(node int) (*cluster.Node, func()) {
	node = r.resolve(node)
	return r.cluster.Nodes[node], r.holding(fmt.Sprintf("node %d", node))
}

func (r *Run) resolve(node int) int {
	switch node {
	case leader:
		return r.whoLeads()
	case oneFollower:
		return (r.whoLeads() + 1) % cluster.Nodes
	case other:
		return (r.whoLeads() + 2) % cluster.Nodes
	}
	return node
}

// whoLeads asks the nodes' metrics, for as long as a takeover takes; then it is any node.
func (r *Run) whoLeads() int {
	for began := time.Now(); time.Since(began) < leaderPatience; time.Sleep(20 * time.Millisecond) {
		for number, node := range r.cluster.Nodes {
			if node.Alive() && node.Metric("etcd_server_is_leader") == 1 {
				return number
			}
		}
	}
	return int(r.seed) % len(r.cluster.Nodes)
}

const leaderPatience = 2500 * time.Millisecond

func (r *Run) mustStart(node *cluster.Node) {
	if err := node.Launch(); err != nil {
		r.violation("process", "a node does not start: %v", err)
	}
}

func (p *Plan) kill(at time.Duration, node int, down time.Duration) {
	p.add(at, func(r *Run) {
		n, release := r.holdingNode(node)
		defer release()
		r.sampleUnknown(n.Number)
		n.Kill()
		r.forgetUnknown(n.Number)
		r.counts.Add(report.NodeKills, 1)
		time.Sleep(down)
		r.mustStart(n)
	}, "kill -9 of %s, down for %v", nodeName(node), down)
}

func (p *Plan) terminate(at time.Duration, node int) {
	p.add(at, func(r *Run) {
		n, release := r.holdingNode(node)
		defer release()
		r.sampleUnknown(n.Number)
		if err := n.Terminate(); err != nil {
			r.violation("process", "node %d did not end well: %v", n.Number, err)
		}
		r.forgetUnknown(n.Number)
		r.counts.Add(report.NodeStops, 1)
		r.mustStart(n)
	}, "clean end and restart of %s", nodeName(node))
}

func (r *Run) forgetUnknown(number int) {
	r.mutex.Lock()
	r.unknown[number] = 0
	r.mutex.Unlock()
}

func (p *Plan) pause(at time.Duration, node int, d time.Duration) {
	p.add(at, func(r *Run) {
		n, release := r.holdingNode(node)
		defer release()
		n.Pause(d)
		r.counts.Add(report.Pauses, 1)
	}, "SIGSTOP of %s for %v", nodeName(node), d)
}

func (r *Run) backends() []string {
	found, err := r.cluster.Pair.Primary.Query("SELECT pid FROM pg_stat_activity WHERE datname = '" + r.cluster.Database() +
		"' AND backend_type = 'client backend' AND application_name NOT LIKE 'tap' ORDER BY pid")
	if err != nil {
		return nil
	}
	return found
}

func (p *Plan) pauseBackend(at, d time.Duration) {
	choice := p.random.Intn(1 << 20)
	p.add(at, func(r *Run) {
		backends := r.backends()
		if len(backends) == 0 {
			return
		}
		pid, _ := strconv.Atoi(backends[choice%len(backends)])
		syscall.Kill(pid, syscall.SIGSTOP)
		time.Sleep(d)
		syscall.Kill(pid, syscall.SIGCONT)
		r.counts.Add(report.Pauses, 1)
	}, "SIGSTOP of PostgreSQL backend %d for %v", choice, d)
}

func (p *Plan) terminateBackend(at time.Duration) {
	choice := p.random.Intn(1 << 20)
	p.add(at, func(r *Run) {
		if backends := r.backends(); len(backends) > 0 {
			r.cluster.Pair.Primary.Query("SELECT pg_terminate_backend(" + backends[choice%len(backends)] + ")")
			r.counts.Add(report.BackendTerminations, 1)
		}
	}, "pg_terminate_backend of backend %d", choice)
}

func (p *Plan) killPostmaster(at, down time.Duration) {
	p.add(at, func(r *Run) {
		defer r.holding("postgres")()
		r.cluster.Pair.Primary.Kill()
		r.counts.Add(report.PostmasterKills, 1)
		time.Sleep(down)
		if err := r.cluster.Pair.Primary.Restart(); err != nil {
			r.violation("process", "%v", err)
		}
	}, "kill -9 of the postmaster, down for %v", down)
}

// compactionCrash kills the leader while it compacts.
func (p *Plan) compactionCrash(at, after time.Duration) {
	p.add(at, func(r *Run) {
		n, release := r.holdingNode(leader)
		defer release()
		// Enough to be dropped in several pieces; the head itself is a deletion, which has to stay.
		head := load.Churn(r.recorder, n.Number)
		go load.CompactTo(r.recorder, n.Number, head, false)
		time.Sleep(after)
		r.sampleUnknown(n.Number)
		n.Kill()
		r.forgetUnknown(n.Number)
		r.counts.Add(report.NodeKills, 1)
		r.counts.Add(report.CompactionCrashes, 1)
		r.mustStart(n)
	}, "compaction, and kill -9 of the leader %v later", after)
}

// fillDisk leaves the database's volume without a free byte for a while; PostgreSQL's own log is elsewhere.
func (p *Plan) fillDisk(at, long time.Duration) {
	p.add(at, func(r *Run) {
		if err := r.cluster.Pair.FillVolume(); err != nil {
			r.violation("process", "%v", err)
		}
		r.counts.Add(report.DiskFull, 1)
		time.Sleep(long)
		if err := r.cluster.Pair.EmptyVolume(); err != nil {
			r.violation("process", "%v", err)
		}
	}, "disk full for %v", long)
}
