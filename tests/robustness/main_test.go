package main

import (
	"slices"
	"strings"
	"testing"

	"lattice/tests/robustness/scenario"
)

func TestASeedIsASchedule(t *testing.T) {
	for _, name := range scenario.Names() {
		first, err := scenario.Make(name, 7)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := scenario.Make(name, 7)
		other, _ := scenario.Make(name, 8)
		if !slices.Equal(first.Describe(), again.Describe()) {
			t.Errorf("%s: one seed, two schedules", name)
		}
		if slices.Equal(first.Describe(), other.Describe()) {
			t.Errorf("%s: two seeds, one schedule", name)
		}
	}
}

func TestEveryPlantedBugNamesScenarios(t *testing.T) {
	plants, err := readPlants("planted.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(plants) < 20 {
		t.Errorf("only %d bugs", len(plants))
	}
}

// The PR tier promises so many faults; what is named differently in a schedule is counted here.
func TestThePRTierReachesItsTargets(t *testing.T) {
	runs, err := tier(flags{tier: "pr", seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, one := range runs {
		plan, err := scenario.Make(one.name, one.seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range plan.Describe() {
			for _, word := range []string{"kill -9 of node", "kill -9 of the leader", "kill -9 of the postmaster",
				"kill -9 of Redis", "SIGSTOP", "pg_terminate_backend", " between ", "synchronous failover", "asynchronous failover",
				"disk full", "compaction, and kill"} {
				if strings.Contains(line, word) {
					found[word]++
				}
			}
		}
	}
	for what, n := range map[string]int{
		"nodes killed": found["kill -9 of node"] + found["kill -9 of the leader"], "postmasters killed": found["kill -9 of the postmaster"],
		"pauses": found["SIGSTOP"], "backends terminated": found["pg_terminate_backend"], "proxy faults": found[" between "],
		"synchronous failovers":  found["synchronous failover"] - found["asynchronous failover"],
		"asynchronous failovers": found["asynchronous failover"], "redis kills": found["kill -9 of Redis"], "disk full": found["disk full"],
	} {
		target := map[string]int{"nodes killed": 60, "postmasters killed": 10, "pauses": 60, "backends terminated": 200,
			"proxy faults": 100, "synchronous failovers": 4, "asynchronous failovers": 2, "redis kills": 5, "disk full": 4}[what]
		if n < target {
			t.Errorf("%s: %d of %d", what, n, target)
		}
		t.Logf("%s: %d (target %d)", what, n, target)
	}
}
