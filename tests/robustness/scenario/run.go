// Package scenario turns a seed into a schedule of faults, runs it under load, and judges what the clients saw.
package scenario

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"lattice/tests/robustness/check"
	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/history"
	"lattice/tests/robustness/load"
	"lattice/tests/robustness/report"
	"lattice/tests/robustness/truth"
)

const (
	kvClients     = 12
	leaseClients  = 4
	pinnedClients = 6
	readers       = cluster.Nodes
	lengthOfLoad  = 6 * time.Second

	minimumOps    = 200
	minimumEvents = 400

	firstWriteWithin = 2 * time.Second
	watchersWithin   = 5 * time.Second
	healPatience     = 20 * time.Second
	leaseGrace       = 2 * time.Second
	leasePatience    = 8 * time.Second
	porcupineTime    = 30 * time.Second
)

// Options are the same for all scenarios of a run.
type Options struct {
	Binary           string
	Env              []string
	RequireFollowers bool
	Slack            float64       // times the recovery limits may take, on a busy machine
	Calm             time.Duration // the load goes on for so long behind the schedule
	Log              func(format string, arguments ...any)
}

// Result is what one scenario came to.
type Result struct {
	Name        string
	Seed        int64
	Schedule    []string
	Enough      bool // traffic
	Violations  []check.Violation
	Checks      []string
	Counts      *report.Counts
	FirstWrite  time.Duration
	AtHead      time.Duration
	Took        time.Duration
	Serving     []bool
	Porcupine   string
	EventDelays []time.Duration
	History     *history.History
	Chain       []*truth.Batch
}

// Run is one scenario while it runs.
type Run struct {
	cluster  *cluster.Cluster
	options  Options
	plan     Plan
	counts   *report.Counts
	recorder *load.Recorder
	tap      *truth.Tap
	verdict  check.Verdict
	serving  []bool
	watchers []*load.Watcher
	locks    map[string]*sync.Mutex
	mutex    sync.Mutex
	seed     int64
	unknown  []float64 // the nodes' counters of unknown appends, as last seen
	lossy    lossy
}

type target struct{ node *cluster.Node }

func (t target) Address() string { return t.node.Client.Address() }
func (t target) Life() int       { return int(t.node.Life.Load()) }

// Execute runs the scenario of that name and seed.
func Execute(c *cluster.Cluster, name string, seed int64, options Options) (*Result, error) {
	began := time.Now()
	plan, err := Make(name, seed)
	if err != nil {
		return nil, err
	}
	r := &Run{cluster: c, options: options, plan: plan, counts: &report.Counts{}, locks: map[string]*sync.Mutex{}, seed: seed,
		unknown: make([]float64, cluster.Nodes)}
	result := &Result{Name: name, Seed: seed, Schedule: plan.Describe(), Counts: r.counts}
	c.TruncateLogs()
	if err := c.Fresh(cluster.Setup{Binary: options.Binary, Env: options.Env, Synchronous: plan.Synchronous,
		SmallVolume: plan.SmallVolume, OwnClocks: plan.ClockJumps, Governed: plan.Governed}); err != nil {
		return nil, err
	}
	r.phase("start", began)
	var targets []load.Target
	for _, node := range c.Nodes {
		targets = append(targets, target{node})
	}
	r.recorder = load.NewRecorder(targets)
	if err := truth.Keep(c.TruthURL()); err != nil {
		return nil, err
	}
	r.tap = truth.NewTap(c.TruthURL)
	defer r.tap.Stop()
	if err := r.begin(); err != nil {
		return nil, err
	}
	result.Serving = r.serving
	if err := r.underLoad(result); err != nil {
		return nil, err
	}
	judging := time.Now()
	if err := r.judge(result); err != nil {
		r.violation("truth", "%v", err)
	}
	result.Violations, result.Checks = r.verdict.Violations, r.verdict.Checks()
	r.phase("judge", judging)
	result.Took = time.Since(began)
	return result, nil
}

func (r *Run) violation(checkName, format string, arguments ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var one check.Verdict
	one.Violations = append(one.Violations, check.Violation{Check: checkName, Text: fmt.Sprintf(format, arguments...)})
	r.verdict.Merge(one)
}

// begin waits for a leader, and finds out which nodes serve.
func (r *Run) begin() error {
	caller := load.NewCaller(r.recorder, -1, 0)
	defer caller.Close()
	if !caller.Insist(load.MarkerKeys[0], healPatience) {
		return fmt.Errorf("no node accepts a write within %v", healPatience)
	}
	r.serving = make([]bool, cluster.Nodes)
	for number := range r.serving {
		if r.followersServe() {
			r.serving[number] = load.Answers(r.recorder, number, watchersWithin)
		} else {
			r.serving[number] = number == r.whoLeads()
		}
		if !r.serving[number] && r.options.RequireFollowers {
			r.violation("followers", "37: node %d does not serve linearizable reads", number)
		}
	}
	return nil
}

// followersServe: the binary has a port between nodes, so that every node is expected to serve.
func (r *Run) followersServe() bool { return r.cluster.Features["cluster.bind"] }

func (r *Run) allServe() bool { return !slices.Contains(r.serving, false) }

// underLoad lets the clients run while the schedule is carried out, then heals, settles and ends them.
func (r *Run) underLoad(result *Result) error {
	kvContext, endKV := context.WithCancel(context.Background())
	watchContext, endWatches := context.WithCancel(context.Background())
	defer endWatches()
	defer endKV()
	var clients sync.WaitGroup
	r.startClients(kvContext, &clients)
	r.startWatchers(watchContext)
	began := time.Now()
	r.carryOut()
	if err := r.heal(); err != nil {
		return err
	}
	r.phase("load", began)
	began = time.Now()
	result.FirstWrite = r.awaitWrite()
	r.awaitFresh()
	endKV()
	clients.Wait()
	r.phase("clients_end", began)
	began = time.Now()
	result.AtHead = r.settleWatchers()
	r.phase("watchers", began)
	began = time.Now()
	r.awaitLeases()
	r.phase("leases", began)
	endWatches()
	for _, watcher := range r.watchers {
		watcher.Wait()
	}
	return nil
}

func (r *Run) startClients(ctx context.Context, clients *sync.WaitGroup) {
	start := func(run func()) {
		clients.Add(1)
		go func() { defer clients.Done(); run() }()
	}
	for number := range kvClients {
		node, roams := number%cluster.Nodes, number >= pinnedClients
		roams = roams || !r.allServe() // nobody stays at a node that answers nothing
		start(func() { load.KV(ctx, r.recorder, number, node, roams, r.seed*100+int64(number)) })
	}
	for number := range leaseClients {
		start(func() {
			load.Leases(ctx, r.recorder, kvClients+number, number%cluster.Nodes, r.seed*100+50+int64(number))
		})
	}
	for number := range readers {
		start(func() {
			load.Reader(ctx, r.recorder, kvClients+leaseClients+1+number, number%cluster.Nodes, r.seed*100+91+int64(number))
		})
	}
	start(func() {
		load.Compactor(ctx, r.recorder, kvClients+leaseClients, r.tap.Position, 1500*time.Millisecond, r.seed*100+90)
	})
}

func (r *Run) startWatchers(ctx context.Context) {
	for node := range cluster.Nodes {
		for kind, plan := range load.Plans() {
			number := len(r.watchers)
			plan.Roams = plan.Roams || !r.allServe()
			r.watchers = append(r.watchers, load.NewWatcher(ctx, r.recorder, number, node, plan, r.tap.Position,
				r.seed*100+60+int64(kind*10+node)))
		}
	}
}
