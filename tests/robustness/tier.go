package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/history"
	"lattice/tests/robustness/report"
	"lattice/tests/robustness/scenario"
	"lattice/tests/robustness/truth"
)

// attemptsMax bounds how often a scenario below minimum traffic is run again.
const attemptsMax = 3

type entry struct {
	name string
	seed int64
}

// prTier reaches the targets of the PR tier. The failovers, after which PostgreSQL's pair is rebuilt, stand together.
var prTier = []string{
	"kill", "kill", "kill", "rolling", "pause", "pause", "pause-leader", "pause-backends", "terminate", "terminate",
	"postmaster", "postmaster", "client-network", "store-network", "peer-network", "redis-kill", "redis-forge",
	"compaction-crash", "lease-leader-kill", "mixed", "control-stopped", "control-wrong", "disk-full", "disk-full", "failover-sync", "failover-sync", "failover-async", "failover-async",
}

// longTier reaches the targets of the full tier when it is run four times, with new seeds.
var longTier = slices.Concat(times(4, "kill", "pause", "terminate", "postmaster"),
	times(2, "client-network", "peer-network", "redis-kill", "compaction-crash"),
	times(1, "rolling", "move-leader", "pause-backends", "pause-session", "zombies", "store-network"),
	times(1, "pause-leader", "redis-lossy", "redis-forge", "lease-leader-kill", "mixed", "slow-leader", "far-followers", "left-behind",
		"postgres-away", "control-stopped", "control-wrong", "control-network", "control-slow", "control-time"),
	times(2, "disk-full"), times(3, "failover-sync"), times(2, "failover-crash"), times(4, "failover-async"), times(1, "failover-unseen"))

func times(n int, names ...string) []string {
	var all []string
	for range n {
		all = append(all, names...)
	}
	return all
}

var (
	tierLists = map[string][]string{"pr": prTier, "full": longTier, "soak": longTier}
	tierSizes = map[string]int{"pr": len(prTier), "full": 224, "soak": 450}
	// What comes after the last fault is load, too: the long tiers let it go on for a while.
	tierCalm = map[string]time.Duration{"full": 3 * time.Second, "soak": 3 * time.Second}
)

// tier lists the scenarios of a run: a list once, or over and over with new seeds.
func tier(f flags) ([]entry, error) {
	if f.name != "" {
		return named(strings.Split(f.name, ","), f.seed)
	}
	size, is := tierSizes[f.tier]
	if !is {
		return nil, fmt.Errorf("no tier is called %q", f.tier)
	}
	var runs []entry
	for i := range size {
		list := tierLists[f.tier]
		runs = append(runs, entry{list[i%len(list)], f.seed + int64(i)})
	}
	return runs, nil
}

// named lists scenarios one after the other, with a new seed for each.
func named(names []string, seed int64) ([]entry, error) {
	var runs []entry
	for i, name := range names {
		one := entry{name, seed + int64(i)}
		if _, err := scenario.Make(one.name, one.seed); err != nil {
			return nil, err
		}
		runs = append(runs, one)
	}
	return runs, nil
}

func runOne(f flags, c *cluster.Cluster, one entry, r *report.Report) {
	for attempt := 1; ; attempt++ {
		fmt.Printf("%s --seed %d\n", one.name, one.seed)
		result, err := scenario.Execute(c, one.name, one.seed, options(f))
		if err != nil {
			r.Add(failedToRun(one, err))
			fmt.Printf("  did not run: %v\n", err)
			return
		}
		if len(result.Violations) == 0 && !result.Enough && attempt < attemptsMax {
			fmt.Printf("  below minimum traffic (%.0f operations, %.0f events): again\n", result.Counts.Get(report.KVOps),
				result.Counts.Get(report.WatchEvents))
			r.Rerun()
			continue
		}
		r.Add(outcome(result))
		show(result)
		if f.record != "" && result.History != nil {
			chain := truth.Cut(result.Chain, f.recordUpTo)
			beginning := history.Cut(result.History, chain[len(chain)-1].LastRevision)
			if err := history.Save(f.record, beginning, chain); err != nil {
				fmt.Println(err)
			}
		}
		if len(result.Violations) > 0 && f.keep != "" {
			keep(f, c, result)
		}
		return
	}
}

func failedToRun(one entry, err error) report.Scenario {
	return report.Scenario{Name: one.name, Seed: one.seed, Failures: []report.Failure{{Check: "harness", Text: err.Error()}}}
}

func outcome(result *scenario.Result) report.Scenario {
	s := report.Scenario{Name: result.Name, Seed: result.Seed, Schedule: result.Schedule, Serving: result.Serving,
		Counts: result.Counts.Sums(), FirstWriteMs: result.FirstWrite.Milliseconds(), AtHeadMs: result.AtHead.Milliseconds(),
		TookMs: result.Took.Milliseconds(), Porcupine: result.Porcupine, EventDelayMs: report.Quantiles(result.EventDelays)}
	for _, violation := range result.Violations {
		s.Failures = append(s.Failures, report.Failure{Check: violation.Check, Text: violation.Text})
	}
	if !result.Enough {
		s.Failures = append(s.Failures, report.Failure{Check: "traffic", Text: "below minimum traffic, again and again"})
	}
	return s
}

func show(result *scenario.Result) {
	fmt.Printf("  %.1f s: %.0f operations, %.0f events, %.0f revisions, %.0f unknown outcomes; first write %v, watchers %v; "+
		"serving %v; porcupine %s\n", result.Took.Seconds(), result.Counts.Get(report.KVOps),
		result.Counts.Get(report.WatchEvents), result.Counts.Get("revisions"), result.Counts.Get(report.UnknownOutcomes),
		result.FirstWrite, result.AtHead, result.Serving, result.Porcupine)
	if len(result.Violations) == 0 {
		return
	}
	fmt.Printf("  FAILED: %s\n", strings.Join(result.Checks, ", "))
	for _, line := range result.Schedule {
		fmt.Printf("    %s\n", line)
	}
	for i, violation := range result.Violations {
		if i == 8 {
			fmt.Printf("    ... %d in all\n", len(result.Violations))
			break
		}
		fmt.Printf("    [%s] %s\n", violation.Check, violation.Text)
	}
}

// keep writes what is needed to study a failure.
func keep(f flags, c *cluster.Cluster, result *scenario.Result) {
	folder := filepath.Join(f.keep, fmt.Sprintf("%s-%d", result.Name, result.Seed))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		fmt.Println(err)
		return
	}
	c.KeepLogs(folder)
	if result.History != nil {
		if err := history.Save(filepath.Join(folder, "history.json.gz"), result.History, result.Chain); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Printf("  kept in %s\n", folder)
}
