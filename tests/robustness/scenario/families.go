package scenario

import (
	"time"

	"lattice/tests/robustness/cluster"
)

const ms = time.Millisecond

func planKills(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	for i, at := range p.times(20) {
		if i%6 == 3 {
			p.compactionCrash(at, p.between(0, 60*ms))
		} else {
			p.kill(at, p.victim(0), p.between(0, 600*ms))
		}
	}
}

func planRolling(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
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
	for i, at := range p.times(26) {
		long := p.between(50*ms, 250*ms)
		if i%4 == 1 {
			long = p.between(250*ms, 900*ms)
		}
		p.pause(at, p.node(0.2), long)
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
	p.lossyRedis(0, lengthOfLoad)
	for _, at := range p.times(15) {
		p.pauseBackend(at, p.between(50*ms, 1200*ms))
	}
	p.pauseRedis(p.between(1000*ms, 4000*ms), p.between(200*ms, 1500*ms))
}

func planPauseSession(p *Plan) {
	p.Length = 7 * time.Second
	p.pauseSession(p.between(800*ms, 1200*ms), p.between(4300*ms, 5000*ms))
}

func planZombies(p *Plan) {
	for i := range 16 {
		p.zombie(time.Duration(300+340*i)*ms, p.between(5*ms, 90*ms))
	}
}

func planTerminations(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	for _, at := range p.times(135) {
		p.terminateBackend(at)
	}
	for _, at := range p.times(3) {
		p.kill(at, p.victim(0.3), p.between(0, 500*ms))
	}
}

func planPostmaster(p *Plan) {
	p.Length = 9 * time.Second // each kill costs the leader its session
	p.lossyRedis(0, p.Length)
	at := p.between(600*ms, 1000*ms)
	for range 4 {
		p.killPostmaster(at, p.between(0, 200*ms))
		at += p.between(2000*ms, 2400*ms)
	}
}

// For long enough that the nodes' circuit breakers open.
func planPostgresAway(p *Plan) {
	p.Length = 9 * time.Second
	p.lossyRedis(0, p.Length)
	p.killPostmaster(p.between(600*ms, 1000*ms), p.between(4200*ms, 5000*ms))
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

// One node neither sees nor hears what happens, until the new history is longer than the old one was.
func planFailoverUnseen(p *Plan) {
	p.Synchronous, p.LostTail = false, true
	at, behind := p.between(1200*ms, 1800*ms), p.between(100*ms, 500*ms)
	cut := at - 100*ms // it has nothing of what gets lost
	if p.random.Intn(2) == 0 {
		cut = at + behind - p.between(20*ms, 60*ms) // it has all of it
	}
	p.cutOff(cut, p.node(0.3), p.between(3000*ms, 4000*ms))
	p.failoverAsync(at, behind)
}

// What waits for a standby is on the primary's disk, and seen there by whoever looks after it has crashed; the standby
// that is promoted then has never had it.
func planFailoverCrash(p *Plan) {
	p.Length = 7 * time.Second
	p.failoverCrash(p.between(800*ms, 1500*ms), p.between(200*ms, 500*ms), p.between(700*ms, 1400*ms))
}

func planClientNetwork(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	for _, at := range p.times(40) {
		p.client(at, p.random.Intn(cluster.Nodes))
	}
	for _, at := range p.times(6) {
		p.pause(at, p.node(0), p.between(50*ms, 300*ms))
	}
}

func planStoreNetwork(p *Plan) {
	// Commits that wait for the standby are nowhere to be seen yet when their connection is cut.
	p.slowStandby(p.between(500*ms, 3000*ms), p.between(15*ms, 40*ms), p.between(2000*ms, 2500*ms))
	for _, at := range p.times(40) {
		p.store(at, p.random.Intn(cluster.Nodes))
	}
	for _, at := range p.times(5) {
		p.pauseBackend(at, p.between(50*ms, 500*ms))
	}
}

func planPeerNetwork(p *Plan) {
	for _, at := range p.times(40) {
		p.peer(at, p.random.Intn(cluster.Nodes))
	}
	for _, at := range p.times(4) {
		p.kill(at, p.victim(0.2), p.between(0, 400*ms))
	}
}

func planRedisKill(p *Plan) {
	for _, at := range p.times(6) {
		p.killRedis(at, p.between(0, 500*ms))
	}
	for _, at := range p.times(16) {
		p.fanout(at, p.random.Intn(cluster.Nodes))
	}
	for _, at := range p.times(4) {
		p.kill(at, p.victim(0.2), p.between(0, 400*ms))
	}
}

func planRedisLossy(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	for _, at := range p.times(3) {
		p.kill(at, p.victim(0.5), p.between(0, 500*ms))
	}
}

func planRedisForge(p *Plan) {
	p.forgeRedis(0, lengthOfLoad)
	for _, at := range p.times(3) {
		p.kill(at, p.victim(0.5), p.between(0, 500*ms))
	}
}

func planCompactionCrash(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	for _, at := range p.times(7) {
		p.compactionCrash(at, p.between(0, 60*ms))
	}
}

// A leader that hears late of everything: of its own renewals, and of who leads now.
func planSlowLeader(p *Plan) {
	p.Length = 7 * time.Second
	// First what it appends is seen by others before it knows that it is committed, then its session ends unnoticed.
	p.slowLeader(p.between(300*ms, 500*ms), p.between(80*ms, 200*ms), p.between(1200*ms, 1500*ms))
	p.slowLeader(p.between(2100*ms, 2300*ms), p.between(1100*ms, 1300*ms), p.between(4000*ms, 4500*ms))
}

// Followers far from their leader, with nothing but questions to it and the log.
func planFarFollowers(p *Plan) {
	p.farFollowers(p.between(300*ms, 600*ms), p.between(40*ms, 90*ms), p.between(2000*ms, 2300*ms))
	p.farFollowers(p.between(3100*ms, 3300*ms), p.between(90*ms, 160*ms), p.between(2000*ms, 2300*ms))
}

// A follower sleeps while the log that it has read is compacted away.
func planLeftBehind(p *Plan) {
	for i := range 3 {
		p.leaveBehind(time.Duration(300+1900*i)*ms+p.between(0, 300*ms), p.between(500*ms, 1000*ms))
	}
}

func planMoveLeader(p *Plan) {
	for i := range 6 {
		p.moveLeader(time.Duration(300+900*i)*ms+p.between(0, 100*ms), p.between(30*ms, 90*ms))
	}
}

func planLeaseLeaderKill(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
	for i := range 3 {
		p.kill(time.Duration(1+i*2)*time.Second-p.between(0, 500*ms), leader, p.between(100*ms, 900*ms))
	}
	p.ClockJumps = true
	for _, at := range p.times(6) {
		p.jumpClock(at, p.node(0.7), time.Duration(p.random.Intn(3)-1)*time.Hour)
	}
}

func planDiskFull(p *Plan) {
	p.SmallVolume = true
	for i := range 4 {
		p.fillDisk(time.Duration(500+1300*i)*ms+p.between(0, 300*ms), p.between(300*ms, 800*ms))
	}
}

func planMixed(p *Plan) {
	p.lossyRedis(0, lengthOfLoad)
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
