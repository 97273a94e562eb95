package scenario

import (
	"fmt"
	"math/rand"
	"time"

	"lattice/tests/robustness/netfault"
)

func (p *Plan) client(at time.Duration, node int) {
	p.network(at, fmt.Sprintf("clients of node %d", node), func(r *Run) *netfault.Proxy { return r.cluster.Nodes[node].Client })
}

func (p *Plan) store(at time.Duration, node int) {
	p.network(at, fmt.Sprintf("node %d and PostgreSQL", node), func(r *Run) *netfault.Proxy { return r.cluster.Nodes[node].Store })
}

func (p *Plan) peer(at time.Duration, node int) {
	p.network(at, fmt.Sprintf("peers and node %d", node), func(r *Run) *netfault.Proxy { return r.cluster.Nodes[node].Peer })
}

func (p *Plan) fanout(at time.Duration, node int) {
	p.network(at, fmt.Sprintf("node %d and Redis", node), func(r *Run) *netfault.Proxy { return r.cluster.Nodes[node].Fanout })
}

// network draws one fault of the connections between two parties.
func (p *Plan) network(at time.Duration, between string, proxy func(*Run) *netfault.Proxy) {
	long := p.between(100*ms, 1800*ms)
	seed := p.random.Int63()
	switch p.random.Intn(8) {
	case 0:
		p.add(at, func(r *Run) { proxy(r).Cut() }, "cut between %s", between)
	case 1:
		p.add(at, func(r *Run) {
			random := rand.New(rand.NewSource(seed))
			proxy(r).CutSome(func() bool { return random.Intn(2) == 0 })
		}, "some connections cut between %s", between)
	case 2:
		p.add(at, func(r *Run) { proxy(r).HalfClose() }, "half-close between %s", between)
	case 3, 4:
		bytes := p.random.Int63n(600)
		p.add(at, func(r *Run) { proxy(r).CutAfter(bytes) }, "cut after %d bytes of replies between %s", bytes, between)
	case 5:
		p.lasting(at, long, proxy, "blackhole", between, func(x *netfault.Proxy, on bool) { x.Blackhole(on) })
	case 6:
		delay := p.between(5*ms, 120*ms)
		p.lasting(at, long, proxy, fmt.Sprintf("delay of %v", delay), between, func(x *netfault.Proxy, on bool) {
			x.Delay(map[bool]time.Duration{true: delay}[on])
		})
	case 7:
		rate := int64(4000 + p.random.Intn(40000))
		p.lasting(at, long, proxy, fmt.Sprintf("%d bytes a second", rate), between, func(x *netfault.Proxy, on bool) {
			x.Throttle(map[bool]int64{true: rate}[on])
		})
	}
}

func (p *Plan) lasting(at, long time.Duration, proxy func(*Run) *netfault.Proxy, what, between string,
	set func(*netfault.Proxy, bool)) {
	p.add(at, func(r *Run) {
		set(proxy(r), true)
		time.Sleep(long)
		set(proxy(r), false)
	}, "%s between %s for %v", what, between, long)
}
