package scenario

import (
	"fmt"
	"math/rand"
	"slices"
	"sort"
	"time"

	"lattice/tests/robustness/cluster"
)

// Step is one fault: when it begins, what it is called in the printed schedule, what it does.
type Step struct {
	At   time.Duration
	Name string
	run  func(*Run)
}

// Plan is a scenario's schedule, made from a seed alone.
type Plan struct {
	Name        string
	Length      time.Duration // of the load
	Synchronous bool          // commits wait for the standby, and Lattice runs in quorum mode
	LostTail    bool          // acknowledged writes may vanish: the oracle of log-protocol H3
	SmallVolume bool          // the database's volume can be filled
	ClockJumps  bool          // the nodes' wall clocks can be shifted
	Governed    bool          // by a control plane, with a cache that lives for a second
	Steps       []Step
	random      *rand.Rand
}

// families make the schedules.
var families = map[string]func(*Plan){
	"kill":              planKills,
	"rolling":           planRolling,
	"pause":             planPauses,
	"pause-leader":      planPauseLeader,
	"pause-backends":    planPauseBackends,
	"pause-session":     planPauseSession,
	"zombies":           planZombies,
	"terminate":         planTerminations,
	"postmaster":        planPostmaster,
	"failover-sync":     planFailoverSync,
	"failover-async":    planFailoverAsync,
	"failover-unseen":   planFailoverUnseen,
	"failover-crash":    planFailoverCrash,
	"client-network":    planClientNetwork,
	"store-network":     planStoreNetwork,
	"peer-network":      planPeerNetwork,
	"redis-kill":        planRedisKill,
	"redis-lossy":       planRedisLossy,
	"redis-forge":       planRedisForge,
	"compaction-crash":  planCompactionCrash,
	"lease-leader-kill": planLeaseLeaderKill,
	"slow-leader":       planSlowLeader,
	"far-followers":     planFarFollowers,
	"left-behind":       planLeftBehind,
	"move-leader":       planMoveLeader,
	"disk-full":         planDiskFull,
	"mixed":             planMixed,
	"postgres-away":     planPostgresAway,
	"control-stopped":   planControlStopped,
	"control-wrong":     planControlWrong,
	"control-network":   planControlNetwork,
	"control-slow":      planControlSlow,
	"control-time":      planControlTime,
}

// Names of all kinds of scenarios.
func Names() []string {
	var names []string
	for name := range families {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Make is the schedule of that name and seed: always the same one.
func Make(name string, seed int64) (Plan, error) {
	family := families[name]
	if family == nil {
		return Plan{}, fmt.Errorf("no scenario is called %q; there are %v", name, Names())
	}
	plan := Plan{Name: name, Length: lengthOfLoad, Synchronous: true, random: rand.New(rand.NewSource(seed))}
	family(&plan)
	sort.SliceStable(plan.Steps, func(i, j int) bool { return plan.Steps[i].At < plan.Steps[j].At })
	return plan, nil
}

// Describe is the schedule as text.
func (p *Plan) Describe() []string {
	var lines []string
	for _, step := range p.Steps {
		lines = append(lines, fmt.Sprintf("%5.2f s  %s", step.At.Seconds(), step.Name))
	}
	return lines
}

func (p *Plan) add(at time.Duration, run func(*Run), format string, arguments ...any) {
	p.Steps = append(p.Steps, Step{At: at, Name: fmt.Sprintf(format, arguments...), run: run})
}

// times draws n moments of the load, in order.
func (p *Plan) times(n int) []time.Duration {
	var found []time.Duration
	for range n {
		found = append(found, p.between(400*time.Millisecond, lengthOfLoad-600*time.Millisecond))
	}
	slices.Sort(found)
	return found
}

func (p *Plan) between(low, high time.Duration) time.Duration {
	return (low + time.Duration(p.random.Int63n(int64(high-low)))).Round(time.Millisecond)
}

// Stand for whoever leads when the fault strikes, and for the two that do not.
const (
	leader      = -1
	oneFollower = -2
	other       = -3
)

func (p *Plan) node(leaderShare float64) int {
	if p.random.Float64() < leaderShare {
		return leader
	}
	return p.random.Intn(cluster.Nodes)
}

// victim is the leader, or one of its followers, whose end costs no time without a leader.
func (p *Plan) victim(leaderShare float64) int {
	if p.random.Float64() < leaderShare {
		return leader
	}
	return oneFollower - p.random.Intn(2)
}

func nodeName(node int) string {
	switch node {
	case leader:
		return "the leader"
	case oneFollower:
		return "a follower"
	case other:
		return "the other follower"
	}
	return fmt.Sprintf("node %d", node)
}
