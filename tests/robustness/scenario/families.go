package scenario

import (
	"time"

	"lattice/tests/robustness/cluster"
)

const ms = time.Millisecond

func planKills(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	for _, at := range p.times(15) {
		p.kill(at, p.node(0.2), p.between(0, 700*ms))
	}
}

func planRolling(p *Plan) {
	first := p.random.Intn(cluster.Nodes)
	at := p.between(300*ms, 900*ms)
	for range 2 {
		for i := range cluster.Nodes {
			p.terminate(at, (first+i)%cluster.Nodes)
			at += p.between(400*ms, 800*ms)
		}
	}
}

func planPauses(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	for _, at := range p.times(16) {
		p.pause(at, p.node(0.2), p.between(50*ms, 900*ms))
	}
}

func planPauseLeader(p *Plan) {
	p.pause(p.between(400*ms, 900*ms), leader, p.between(1600*ms, 2600*ms))
	p.pause(p.between(3200*ms, 4000*ms), leader, p.between(1500*ms, 2200*ms))
	for _, at := range p.times(3) {
		p.pause(at, p.node(0), p.between(50*ms, 400*ms))
	}
}

func planPauseBackends(p *Plan) {
	for _, at := range p.times(14) {
		p.pauseBackend(at, p.between(50*ms, 1200*ms))
	}
	p.pauseRedis(p.between(1000*ms, 4000*ms), p.between(200*ms, 1500*ms))
}

func planTerminations(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	for _, at := range p.times(100) {
		p.terminateBackend(at)
	}
}

func planPostmaster(p *Plan) {
	p.Length = 9 * time.Second // each kill costs the leader its session
	at := p.between(600*ms, 1000*ms)
	for range 4 {
		p.killPostmaster(at, p.between(0, 200*ms))
		at += p.between(2000*ms, 2400*ms)
	}
}

func planFailoverSync(p *Plan) {
	p.failoverSync(p.between(500*ms, 1200*ms), p.random.Intn(cluster.Nodes), p.between(300*ms, 1700*ms))
	p.failoverSync(p.between(3600*ms, 4200*ms), p.random.Intn(cluster.Nodes), p.between(300*ms, 1200*ms))
	for _, at := range p.times(3) {
		p.store(at, p.random.Intn(cluster.Nodes))
	}
}

func planFailoverAsync(p *Plan) {
	p.Synchronous, p.LostTail = false, true
	p.failoverAsync(p.between(1200*ms, 2500*ms), p.between(100*ms, 900*ms))
}

func planClientNetwork(p *Plan) {
	for _, at := range p.times(27) {
		p.client(at, p.random.Intn(cluster.Nodes))
	}
	for _, at := range p.times(6) {
		p.pause(at, p.node(0), p.between(50*ms, 300*ms))
	}
}

func planStoreNetwork(p *Plan) {
	for _, at := range p.times(27) {
		p.store(at, p.random.Intn(cluster.Nodes))
	}
	for _, at := range p.times(5) {
		p.pauseBackend(at, p.between(50*ms, 500*ms))
	}
}

func planPeerNetwork(p *Plan) {
	for _, at := range p.times(27) {
		p.peer(at, p.random.Intn(cluster.Nodes))
	}
	for _, at := range p.times(2) {
		p.kill(at, p.node(0), p.between(0, 400*ms))
	}
}

func planRedisKill(p *Plan) {
	for _, at := range p.times(5) {
		p.killRedis(at, p.between(0, 600*ms))
	}
	for _, at := range p.times(12) {
		p.fanout(at, p.random.Intn(cluster.Nodes))
	}
	for _, at := range p.times(3) {
		p.kill(at, p.node(0), p.between(0, 400*ms))
	}
}

func planRedisLossy(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	p.kill(p.between(1500*ms, 4000*ms), leader, p.between(0, 500*ms))
}

func planRedisForge(p *Plan) {
	p.forgeRedis(0, lengthOfLoad)
	p.kill(p.between(1500*ms, 4000*ms), leader, p.between(0, 500*ms))
}

func planCompactionCrash(p *Plan) {
	for _, at := range p.times(5) {
		p.compactionCrash(at, p.between(0, 60*ms))
	}
}

func planLeaseLeaderKill(p *Plan) {
	for i := range 3 {
		p.kill(time.Duration(1+i*2)*time.Second-p.between(0, 500*ms), leader, p.between(100*ms, 900*ms))
	}
}

func planDiskFull(p *Plan) {
	p.SmallVolume = true
	p.fillDisk(p.between(700*ms, 1200*ms), p.between(500*ms, 1200*ms))
	p.fillDisk(p.between(3200*ms, 3800*ms), p.between(500*ms, 1200*ms))
}

func planMixed(p *Plan) {
	p.killPostmaster(p.between(700*ms, 2000*ms), p.between(0, 300*ms))
	p.killPostmaster(p.between(3000*ms, 4500*ms), p.between(0, 300*ms))
	for _, at := range p.times(14) {
		node := p.random.Intn(cluster.Nodes)
		switch p.random.Intn(9) {
		case 0, 1:
			p.kill(at, p.node(0.5), p.between(0, 800*ms))
		case 2:
			p.pause(at, p.node(0.4), p.between(50*ms, 1200*ms))
		case 3:
			p.terminateBackend(at)
		case 4:
			p.client(at, node)
		case 5:
			p.store(at, node)
		case 6:
			p.peer(at, node)
		case 7:
			p.fanout(at, node)
		case 8:
			p.pauseBackend(at, p.between(50*ms, 800*ms))
		}
	}
}
