package scenario

import (
	"time"

	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/load"
	"lattice/tests/robustness/truth"
)

// heal ends all faults: everything runs, nothing is cut.
func (r *Run) heal() error {
	for _, proxy := range r.cluster.Proxies() {
		proxy.Heal()
	}
	if !r.cluster.Pair.Primary.Alive() {
		if err := r.cluster.Pair.Primary.Restart(); err != nil {
			return err
		}
	}
	for _, node := range r.cluster.Nodes {
		if !node.Alive() {
			if err := node.Launch(); err != nil {
				return err
			}
		}
	}
	if err := r.cluster.AwaitListening(); err != nil {
		return err
	}
	if r.plan.Governed {
		r.startControl(cluster.TrueHistory)
	}
	return nil
}

// awaitWrite returns how long it took until a write was acknowledged.
func (r *Run) awaitWrite() time.Duration {
	healed := r.recorder.Clock.Now()
	for r.recorder.Clock.Now()-healed < int64(healPatience) {
		if r.recorder.Written.Load() > healed {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	took := time.Duration(r.recorder.Clock.Now() - healed)
	if took > r.slack(firstWriteWithin) {
		r.violation("liveness", "37: the first write was acknowledged %v after everything had healed", took)
	}
	return took
}

func (r *Run) slack(limit time.Duration) time.Duration {
	return time.Duration(float64(limit) * max(r.options.Slack, 1))
}

// settleWatchers writes what every watcher must get, and returns how long that took.
func (r *Run) settleWatchers() time.Duration {
	caller := load.NewCaller(r.recorder, -2, 0)
	defer caller.Close()
	for _, watcher := range r.watchers {
		watcher.Rests()
	}
	markers := map[string]int64{}
	newest := int64(0)
	for _, key := range load.MarkerKeys {
		if !caller.Insist(key, healPatience) {
			r.violation("liveness", "37: no write of %q within %v", key, healPatience)
			return healPatience
		}
		markers[key] = caller.LastRevision()
		newest = caller.LastRevision()
	}
	began := time.Now()
	for time.Since(began) < r.slack(watchersWithin) {
		if len(r.behind(markers)) == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, watcher := range r.behind(markers) {
		r.violation("liveness", "37: watcher %d is not at the head %v after everything had healed", watcher.Number,
			time.Since(began))
	}
	for _, watcher := range r.watchers {
		watcher.MustReach(newest)
	}
	return time.Since(began)
}

func (r *Run) behind(markers map[string]int64) []*load.Watcher {
	var late []*load.Watcher
	for _, watcher := range r.watchers {
		if watcher.Behind(markers) {
			late = append(late, watcher)
		}
	}
	return late
}

// awaitLeases waits until the log shows the end of every lease; the lease check judges what is left.
func (r *Run) awaitLeases() {
	for began := time.Now(); time.Since(began) < leasePatience; time.Sleep(150 * time.Millisecond) {
		_, chain, _, err := r.readTruth()
		if err != nil {
			continue
		}
		living := 0
		for _, lease := range truth.Replay(chain).Leases {
			if lease.GoneAt == 0 {
				living++
			}
		}
		if living == 0 {
			return
		}
	}
}

// phase notes how long a part of the scenario took, for the report.
func (r *Run) phase(name string, began time.Time) {
	r.counts.Add("seconds_"+name, time.Since(began).Seconds())
}
