package scenario

import (
	"time"

	"lattice/tests/robustness/report"
)

// failoverSync cuts the primary off, promotes the standby, and leaves one node at the old primary for a while.
func (p *Plan) failoverSync(at time.Duration, pinned int, isolated time.Duration) {
	p.add(at, func(r *Run) {
		defer r.holding("postgres")()
		r.cluster.Pair.Isolate()
		if err := r.cluster.Promote(); err != nil {
			r.violation("process", "%v", err)
			return
		}
		r.counts.Add(report.SyncFailovers, 1)
		for number, node := range r.cluster.Nodes {
			if number != pinned {
				r.cluster.Redirect(node)
			}
		}
		rejoined := make(chan error, 1)
		go func() {
			time.Sleep(isolated)
			r.cluster.Pair.EndIsolated()
			r.cluster.Redirect()
			rejoined <- nil
		}()
		err := r.cluster.Pair.AttachNew()
		<-rejoined
		if err != nil {
			r.violation("process", "%v", err)
		}
	}, "synchronous failover; node %d stays at the old primary for %v", pinned, isolated)
}

// failoverAsync lets the standby fall behind, kills the primary and promotes: what was acknowledged meanwhile is lost.
func (p *Plan) failoverAsync(at, behind time.Duration) {
	p.add(at, func(r *Run) {
		defer r.holding("postgres")()
		r.cluster.Pair.Isolate()
		time.Sleep(behind)
		r.cluster.Pair.Primary.Kill()
		if err := r.cluster.Promote(); err != nil {
			r.violation("process", "%v", err)
			return
		}
		r.cluster.Redirect()
		r.counts.Add(report.AsyncFailovers, 1)
	}, "asynchronous failover; the standby is %v behind", behind)
}

// failoverCrash leaves the primary alone with commits that wait, crashes and restarts it, and lets nodes look at what
// it shows; then the standby, which has none of that, is promoted.
func (p *Plan) failoverCrash(at, waiting, looking time.Duration) {
	p.add(at, func(r *Run) {
		defer r.holding("postgres")()
		r.cluster.Pair.Isolate()
		time.Sleep(waiting)
		r.cluster.Pair.Primary.Kill()
		r.counts.Add(report.PostmasterKills, 1)
		if err := r.cluster.Pair.Primary.Restart(); err != nil {
			r.violation("process", "%v", err)
			return
		}
		time.Sleep(looking)
		r.cluster.Pair.Primary.Kill()
		if err := r.cluster.Promote(); err != nil {
			r.violation("process", "%v", err)
			return
		}
		r.counts.Add(report.SyncFailovers, 1)
		r.cluster.Redirect()
		if err := r.cluster.Pair.AttachNew(); err != nil {
			r.violation("process", "%v", err)
		}
	}, "the standby is cut off, %v later a kill -9 of the postmaster, %v after its restart a synchronous failover", waiting,
		looking)
}

// slowStandby delays what primary and standby say to each other.
func (p *Plan) slowStandby(at, delay, long time.Duration) {
	p.add(at, func(r *Run) {
		r.cluster.Pair.Replication.Delay(delay)
		time.Sleep(long)
		r.cluster.Pair.Replication.Delay(0)
	}, "the standby is %v away for %v", delay, long)
}
