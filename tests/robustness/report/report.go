package report

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"
)

// Failure is what one check said.
type Failure struct {
	Check string `json:"check"`
	Text  string `json:"text"`
}

// Scenario is what one scenario came to.
type Scenario struct {
	Name         string             `json:"name"`
	Seed         int64              `json:"seed"`
	Schedule     []string           `json:"schedule"`
	Serving      []bool             `json:"nodes_serving_linearizable_reads"`
	Counts       map[string]float64 `json:"counts"`
	FirstWriteMs int64              `json:"first_write_after_heal_ms"`
	AtHeadMs     int64              `json:"watchers_at_head_ms"`
	EventDelayMs map[string]float64 `json:"event_delay_ms"`
	TookMs       int64              `json:"took_ms"`
	Porcupine    string             `json:"porcupine"`
	Failures     []Failure          `json:"failures"`
}

// Report is the whole run.
type Report struct {
	Commit    string             `json:"commit"`
	Tier      string             `json:"tier"`
	Started   time.Time          `json:"started"`
	TookMs    int64              `json:"took_ms"`
	LeftOut   int                `json:"scenarios_left_out"`
	Failed    int                `json:"scenarios_failed"`
	Counts    map[string]float64 `json:"counts"`
	Targets   []Target           `json:"targets"`
	Scenarios []Scenario         `json:"scenarios"`
	counts    Counts
}

// Target is one line of the targets table, with what was reached.
type Target struct {
	What    string  `json:"what"`
	Target  float64 `json:"target"`
	Reached float64 `json:"reached"`
}

// New begins a report.
func New(commit, tier string) *Report {
	return &Report{Commit: commit, Tier: tier, Started: time.Now().UTC().Round(time.Second)}
}

// Add adds a scenario.
func (r *Report) Add(s Scenario) {
	r.Scenarios = append(r.Scenarios, s)
	for name, n := range s.Counts {
		r.counts.Add(name, n)
	}
	if len(s.Failures) > 0 {
		r.Failed++
	}
}

// Rerun counts a scenario that was run again.
func (r *Report) Rerun() { r.counts.Add(Reruns, 1) }

// Took sets the duration.
func (r *Report) Took(d time.Duration) { r.TookMs = d.Milliseconds() }

// Passed says that every scenario did.
func (r *Report) Passed() bool { return r.Failed == 0 && len(r.Scenarios) > 0 }

// targets of each tier, as reliability.md section 5 has them: pr, full, soak.
var targets = map[string][3]float64{
	"scenarios": {24, 200, 450}, KVOps: {50e3, 1e6, 5e6}, WatchEvents: {250e3, 5e6, 30e6}, NodeKills: {60, 500, 1800},
	BackendTerminations: {200, 2000, 10000}, PostmasterKills: {10, 60, 300}, SyncFailovers: {4, 30, 100},
	AsyncFailovers: {2, 20, 60}, Ambiguous: {200, 3000, 20000}, Pauses: {60, 600, 3000}, ProxyFaults: {100, 1000, 5000},
	DiskFull: {4, 30, 60}, CompactionCrashes: {5, 100, 500}, RedisKills: {5, 40, 150}, RedisLossySeconds: {60, 600, 2400},
}

// Targets of a tier, by what is counted.
func Targets(tier string) map[string]float64 {
	column := map[string]int{"pr": 0, "full": 1, "soak": 2}[tier]
	found := map[string]float64{}
	for what, target := range targets {
		found[what] = target[column]
	}
	return found
}

// Write writes the report as JSON.
func (r *Report) Write(path string) error {
	r.counts.Add("scenarios", float64(len(r.Scenarios))-r.counts.Get("scenarios"))
	r.Counts = r.counts.Sums()
	r.Targets = nil
	for what, target := range Targets(r.Tier) {
		r.Targets = append(r.Targets, Target{what, target, r.Counts[what]})
	}
	sort.Slice(r.Targets, func(i, j int) bool { return r.Targets[i].What < r.Targets[j].What })
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Summary is the report for people. Call Write first.
func (r *Report) Summary() string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%d scenarios in %.0f s, %d failed, %d left out\n", len(r.Scenarios), float64(r.TookMs)/1000, r.Failed,
		r.LeftOut)
	for _, target := range r.Targets {
		fmt.Fprintf(&text, "  %-36s %10.0f   (target %.0f)\n", target.What, target.Reached, target.Target)
	}
	for _, name := range sortedNames(r.Counts) {
		if _, is := targets[name]; !is && !strings.HasPrefix(name, "proxy_") {
			fmt.Fprintf(&text, "  %-36s %10.0f\n", name, r.Counts[name])
		}
	}
	refusing := 0
	for _, s := range r.Scenarios {
		for _, serves := range s.Serving {
			if !serves {
				refusing++
				break
			}
		}
		for _, failure := range s.Failures[:min(len(s.Failures), 2)] {
			fmt.Fprintf(&text, "  FAILED %s --seed %d: [%s] %s\n", s.Name, s.Seed, failure.Check, failure.Text)
		}
	}
	if refusing > 0 {
		fmt.Fprintf(&text, "  in %d scenarios some node served no linearizable reads even without a fault\n", refusing)
	}
	return text.String()
}

func sortedNames(counts map[string]float64) []string {
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
