package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/report"
	"lattice/tests/robustness/scenario"
)

// roundsMax bounds how often a bug's scenarios are tried.
const roundsMax = 6

// elsewhere stands in the list where a bug's checks would, for one that real processes cannot show; the reason follows.
const elsewhere = "elsewhere:"

// noBug is the control: the test build with nothing planted.
const noBug = "none"

// plant is one line of the list: a bug's name, the checks that fit it, and the scenarios that should make them fire.
type plant struct {
	Name      string
	Checks    []string
	Scenarios []string
	Elsewhere string // why real processes do not show it, and what does
}

// caught is what became of it.
type caught struct {
	Bug       string   `json:"bug"`
	Caught    bool     `json:"caught"`
	Checks    []string `json:"checks"`
	Scenario  string   `json:"scenario"`
	Seed      int64    `json:"seed"`
	Rounds    int      `json:"rounds"`
	Seconds   float64  `json:"seconds"`
	First     string   `json:"first"`
	Other     []string `json:"other_failures"` // of checks that do not fit
	Elsewhere string   `json:"elsewhere,omitempty"`
}

func readPlants(path string) ([]plant, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []plant
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 3 {
			return nil, fmt.Errorf("%s: %q names no check or no scenario", path, line)
		}
		if words[1] == elsewhere {
			found = append(found, plant{Name: words[0], Elsewhere: strings.Join(words[2:], " ")})
			continue
		}
		for _, name := range words[2:] {
			if _, err := scenario.Make(name, 1); err != nil {
				return nil, err
			}
		}
		found = append(found, plant{Name: words[0], Checks: strings.Split(words[1], ","), Scenarios: words[2:]})
	}
	return found, nil
}

// control is every scenario that some bug needs, once.
func control(plants []plant) plant {
	all := plant{Name: noBug}
	for _, bug := range plants {
		for _, name := range bug.Scenarios {
			if !slices.Contains(all.Scenarios, name) {
				all.Scenarios = append(all.Scenarios, name)
			}
		}
	}
	return all
}

// calibrate asks whether the harness catches known bugs: a test build plants the one named in its environment. -scenario
// may name some of them, with commas between; "none" is the control, in which nothing may be caught.
func calibrate(f flags, c *cluster.Cluster) int {
	plants, err := readPlants(f.planted)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	plants = append([]plant{control(plants)}, plants...)
	var results []caught
	wrong, chosen := 0, strings.Split(f.name, ",")
	for _, bug := range plants {
		if f.name != "" && !slices.Contains(chosen, bug.Name) {
			continue
		}
		result := catch(f, c, bug)
		results = append(results, result)
		right := result.Caught || bug.Elsewhere != ""
		if bug.Name == noBug {
			right = len(result.Other) == 0
		}
		if !right {
			wrong++
		}
		fmt.Printf("%-28s caught %-5v by %-20s after %5.1f s  %s %d  %s\n", bug.Name, result.Caught,
			strings.Join(result.Checks, ","), result.Seconds, result.Scenario, result.Seed, result.First+result.Elsewhere)
		text, _ := json.MarshalIndent(results, "", "  ")
		if err := os.WriteFile(f.output, append(text, '\n'), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
	}
	fmt.Printf("%d of %d as they should be\n", len(results)-wrong, len(results))
	if wrong > 0 || len(results) == 0 {
		return 1
	}
	return 0
}

func catch(f flags, c *cluster.Cluster, bug plant) caught {
	began := time.Now()
	result := caught{Bug: bug.Name, Elsewhere: bug.Elsewhere}
	if bug.Elsewhere != "" {
		return result
	}
	o := options(f)
	rounds := len(bug.Scenarios)
	if bug.Name != noBug {
		o.Env = []string{"LATTICE_PLANTED_BUG=" + bug.Name}
		rounds = roundsMax
	}
	for round := range rounds {
		name := bug.Scenarios[round%len(bug.Scenarios)]
		seed := f.seed + int64(round)
		one, err := scenario.Execute(c, name, seed, o)
		result.Seconds, result.Rounds = time.Since(began).Seconds(), round+1
		if err != nil {
			result.Other = append(result.Other, fmt.Sprintf("%s --seed %d: did not run: %v", name, seed, err))
			fmt.Printf("  %s\n", result.Other[len(result.Other)-1])
			continue
		}
		fmt.Printf("  %s --seed %d: %.0f operations, %.0f events, %.1f s %v\n", name, seed, one.Counts.Get(report.KVOps),
			one.Counts.Get(report.WatchEvents), one.Took.Seconds(), one.Checks)
		for _, violation := range one.Violations {
			if slices.Contains(bug.Checks, violation.Check) && !result.Caught {
				result.Caught, result.Checks, result.Scenario, result.Seed = true, one.Checks, name, seed
				result.First = "[" + violation.Check + "] " + violation.Text
			}
		}
		if result.Caught {
			return result
		}
		for i, violation := range one.Violations {
			if i < 3 {
				result.Other = append(result.Other, fmt.Sprintf("%s --seed %d: [%s] %s", name, seed, violation.Check, violation.Text))
				fmt.Printf("    [%s] %s\n", violation.Check, violation.Text)
			}
		}
		if len(one.Violations) > 0 && f.keep != "" {
			keep(f, c, one)
		}
	}
	return result
}
