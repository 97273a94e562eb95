package scenario

import (
	"fmt"
	"time"

	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/netfault"
)

// freshWithin: a node's cache is Fresh again so soon after the control plane can be reached.
const freshWithin = 5 * time.Second

func (p *Plan) controlDown(at, down time.Duration) {
	p.add(at, func(r *Run) {
		defer r.holding("control")()
		r.cluster.Control.Kill()
		time.Sleep(down)
		r.startControl(cluster.TrueHistory)
	}, "kill -9 of the control plane, down for %v", down)
}

// controlWrong lets a control plane answer that must not be believed.
func (p *Plan) controlWrong(at, long time.Duration, history cluster.History) {
	p.add(at, func(r *Run) {
		defer r.holding("control")()
		r.startControl(history)
		time.Sleep(long)
		r.startControl(cluster.TrueHistory)
	}, "control plane with the %s history for %v", history, long)
}

func (p *Plan) control(at time.Duration, node int) {
	p.network(at, fmt.Sprintf("node %d and the control plane", node),
		func(r *Run) *netfault.Proxy { return r.cluster.Nodes[node].Control })
}

func (p *Plan) controlPartition(at, long time.Duration) {
	p.add(at, func(r *Run) {
		for _, node := range r.cluster.Nodes {
			node.Control.Blackhole(true)
		}
		time.Sleep(long)
		for _, node := range r.cluster.Nodes {
			node.Control.Blackhole(false)
		}
	}, "blackhole between all nodes and the control plane for %v", long)
}

// controlSlow makes everything late that the nodes and the control plane say to each other.
func (p *Plan) controlSlow(at, long, delay time.Duration) {
	p.add(at, func(r *Run) {
		set := func(delay time.Duration) {
			for _, node := range r.cluster.Nodes {
				node.Control.Delay(delay)
			}
		}
		set(delay)
		time.Sleep(long)
		set(0)
	}, "delay of %v between all nodes and the control plane for %v", delay, long)
}

func (r *Run) startControl(history cluster.History) {
	if err := r.cluster.Control.Start(history); err != nil {
		r.violation("process", "%v", err)
	}
}

// awaitFresh waits until every node knows again that what it knows is current.
func (r *Run) awaitFresh() {
	if !r.plan.Governed {
		return
	}
	deadline := time.Now().Add(r.slack(freshWithin))
	for _, node := range r.cluster.Nodes {
		for node.Metric(`lattice_cp_cache_state{state="Fresh"}`) != 1 {
			if time.Now().After(deadline) {
				r.violation("liveness", "the control plane's cache of node %d is not Fresh %v after it had healed", node.Number,
					freshWithin)
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func planControlStopped(p *Plan) {
	p.Governed = true
	p.controlDown(p.between(400*ms, 700*ms), p.between(1700*ms, 2300*ms))
	p.controlDown(p.between(3600*ms, 4000*ms), p.between(1300*ms, 1800*ms))
	p.kill(p.between(1200*ms, 2000*ms), p.victim(0.5), p.between(0, 400*ms))
	p.kill(p.between(4200*ms, 4800*ms), oneFollower, p.between(0, 400*ms))
}

func planControlWrong(p *Plan) {
	p.Governed = true
	histories := []cluster.History{cluster.OlderHistory, cluster.OtherHistory}
	first := p.random.Intn(2)
	p.controlWrong(p.between(400*ms, 800*ms), p.between(1500*ms, 2000*ms), histories[first])
	p.controlWrong(p.between(3400*ms, 3800*ms), p.between(1300*ms, 1700*ms), histories[1-first])
	for _, at := range p.times(3) {
		p.pause(at, p.node(0.3), p.between(50*ms, 600*ms))
	}
}

func planControlNetwork(p *Plan) {
	p.Governed = true
	p.lossyRedis(0, lengthOfLoad)
	p.controlPartition(p.between(600*ms, 1000*ms), p.between(1500*ms, 2200*ms))
	for _, at := range p.times(14) {
		p.control(at, p.random.Intn(cluster.Nodes))
	}
}

// First so slow that what the nodes know is always old, then slower than what they know lives; nodes that start meanwhile
// know nothing yet.
func planControlSlow(p *Plan) {
	p.Governed = true
	p.controlSlow(p.between(300*ms, 600*ms), p.between(2000*ms, 2500*ms), p.between(150*ms, 350*ms))
	p.controlSlow(p.between(3200*ms, 3500*ms), p.between(1500*ms, 2000*ms), p.between(700*ms, 1200*ms))
	p.kill(p.between(1000*ms, 1600*ms), p.victim(0.5), p.between(0, 300*ms))
	p.kill(p.between(3800*ms, 4300*ms), oneFollower, p.between(0, 300*ms))
	for _, at := range p.times(2) {
		p.pause(at, p.node(0.3), p.between(50*ms, 400*ms))
	}
}

// A leader sleeps for longer than its session lives, and wall clocks jump, while the control plane is slow or away.
func planControlTime(p *Plan) {
	p.Governed = true
	p.ClockJumps = true
	for _, at := range p.times(6) {
		p.jumpClock(at, p.node(0.5), time.Duration(p.random.Intn(3)-1)*time.Hour)
	}
	p.controlDown(p.between(400*ms, 700*ms), p.between(1700*ms, 2300*ms))
	p.pause(p.between(900*ms, 1300*ms), leader, p.between(1600*ms, 2400*ms))
	p.pause(p.between(3600*ms, 4200*ms), leader, p.between(1500*ms, 2000*ms))
	for _, at := range p.times(4) {
		p.control(at, p.random.Intn(cluster.Nodes))
	}
}
