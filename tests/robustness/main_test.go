package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lattice/tests/robustness/report"
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

// The list is that of the server: whoever plants a bug says which scenarios show it, or why none does.
func TestEveryPlantedBugIsListed(t *testing.T) {
	plants, err := readPlants("planted.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../src/base/planted.h")
	if err != nil {
		t.Fatal(err)
	}
	calibrate := "tests/auth_compare/calibrate.py"
	others, err := os.ReadFile("../../" + calibrate)
	if err != nil {
		t.Fatal(err)
	}
	var there, listed []string
	for _, found := range regexp.MustCompile(`(?m)^\s+X\((\w+), "`).FindAllStringSubmatch(string(text), -1) {
		there = append(there, found[1])
	}
	for _, bug := range plants {
		listed = append(listed, bug.Name)
		if strings.Contains(bug.Elsewhere, calibrate) != strings.Contains(string(others), `"`+bug.Name+`": (`) {
			t.Errorf("%s: planted.txt and %s do not agree whether it is planted there", bug.Name, calibrate)
		}
		for _, name := range bug.Checks {
			if !slices.Contains(checks, name) {
				t.Errorf("%s: no check is called %q", bug.Name, name)
			}
		}
	}
	slices.Sort(there)
	slices.Sort(listed)
	if len(there) < 40 || !slices.Equal(there, listed) {
		t.Errorf("planted.h has\n%v\nand planted.txt\n%v", there, listed)
	}
}

var checks = []string{"log", "kv", "realtime", "serializable", "compaction", "refusal", "watch", "lease", "porcupine", "hash",
	"liveness", "process", "lost-history"}

// What a schedule says, by what the report counts; longer texts first, so that each line counts once for a name.
var planned = map[string][]string{
	report.NodeKills:           {"kill -9 of node", "kill -9 of the leader", "kill -9 of a follower", "kill -9 of the other follower"},
	report.PostmasterKills:     {"kill -9 of the postmaster"},
	report.Pauses:              {"SIGSTOP"},
	report.BackendTerminations: {"pg_terminate_backend"},
	report.ProxyFaults:         {" between "},
	report.SyncFailovers:       {" synchronous failover"},
	report.AsyncFailovers:      {" asynchronous failover"},
	report.RedisKills:          {"kill -9 of Redis"},
	report.DiskFull:            {"disk full"},
	report.CompactionCrashes:   {"compaction, and kill"},
}

var lossyPeriod = regexp.MustCompile(`of messages for (\S+)$`)

func count(t *testing.T, runs []entry) map[string]float64 {
	found := map[string]float64{"scenarios": float64(len(runs))}
	for _, one := range runs {
		plan, err := scenario.Make(one.name, one.seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range plan.Describe() {
			for what, words := range planned {
				if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(line, word) }) {
					found[what]++
				}
			}
			if period := lossyPeriod.FindStringSubmatch(line); period != nil {
				long, _ := time.ParseDuration(period[1])
				found[report.RedisLossySeconds] += long.Seconds()
			}
		}
	}
	return found
}

// What a tier promises is in its schedules; operations, events and ambiguous commits only a run can count.
func TestTheTiersReachTheirTargets(t *testing.T) {
	for _, family := range scenario.Names() {
		if !slices.Contains(slices.Concat(prTier, longTier), family) {
			t.Errorf("no tier has %s", family)
		}
	}
	for _, name := range []string{"pr", "full"} {
		runs, err := tier(flags{tier: name, seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		found := count(t, runs)
		for what, target := range report.Targets(name) {
			if planned[what] == nil && what != report.RedisLossySeconds && what != "scenarios" {
				continue
			}
			if found[what] < target {
				t.Errorf("%s: %s: %.0f of %.0f", name, what, found[what], target)
			}
			t.Logf("%s: %s: %.0f (target %.0f)", name, what, found[what], target)
		}
	}
}
