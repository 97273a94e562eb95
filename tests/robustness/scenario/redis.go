package scenario

import (
	"time"

	"lattice/tests/robustness/netfault"
	"lattice/tests/robustness/report"
)

// lossy is what a lossy period does to the messages of Redis.
type lossy struct{ policy netfault.Lossy }

func (p *Plan) killRedis(at, down time.Duration) {
	p.add(at, func(r *Run) {
		defer r.holding("redis")()
		r.cluster.Redis.Kill()
		r.counts.Add(report.RedisKills, 1)
		time.Sleep(down)
		if err := r.cluster.Redis.Start(); err != nil {
			r.violation("process", "%v", err)
		}
	}, "kill -9 of Redis, down for %v", down)
}

func (p *Plan) pauseRedis(at, d time.Duration) {
	p.add(at, func(r *Run) {
		defer r.holding("redis")()
		r.cluster.Redis.Pause(d)
		r.counts.Add(report.Pauses, 1)
	}, "SIGSTOP of Redis for %v", d)
}

func (p *Plan) lossyRedis(at, d time.Duration) {
	seed := p.random.Int63()
	p.add(at, func(r *Run) {
		r.lossy.policy.Drop, r.lossy.policy.Duplicate, r.lossy.policy.Reorder = 0.3, 0.3, 0.3
		r.lossy.policy.Reach = 50 * ms
		for _, node := range r.cluster.Nodes {
			node.Fanout.Filtering(func() netfault.Filter { return r.lossy.policy.NewFilter(seed) })
		}
		time.Sleep(d)
		for _, node := range r.cluster.Nodes {
			node.Fanout.Filtering(nil)
		}
		if r.cluster.Features["fanout.url"] {
			r.counts.Add(report.RedisLossySeconds, d.Seconds())
		}
	}, "Redis drops 30 %%, repeats 30 %%, delays 30 %% of messages for %v", d)
}

func (p *Plan) forgeRedis(at, d time.Duration) {
	seed := p.random.Int63()
	p.add(at, func(r *Run) {
		sent, err := netfault.Forge(r.cluster.Redis.Address(), d, seed)
		if err != nil && sent > 0 {
			r.options.Log("the forger ended early: %v", err)
		}
		r.counts.Add(report.RedisForged, float64(sent))
	}, "forged and replayed messages on the channels of Redis for %v", d)
}
