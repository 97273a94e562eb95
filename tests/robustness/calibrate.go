package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/scenario"
)

// roundsMax bounds how often a bug's scenarios are tried.
const roundsMax = 6

// plant is one line of the list: a bug's name and the scenarios that should catch it.
type plant struct {
	Name      string
	Scenarios []string
}

// caught is what became of it.
type caught struct {
	Bug      string   `json:"bug"`
	Caught   bool     `json:"caught"`
	Checks   []string `json:"checks"`
	Scenario string   `json:"scenario"`
	Seed     int64    `json:"seed"`
	Seconds  float64  `json:"seconds"`
	First    string   `json:"first"`
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
		if len(words) < 2 {
			return nil, fmt.Errorf("%s: %q names no scenario", path, line)
		}
		for _, name := range words[1:] {
			if _, err := scenario.Make(name, 1); err != nil {
				return nil, err
			}
		}
		found = append(found, plant{words[0], words[1:]})
	}
	return found, nil
}

// calibrate asks whether the harness catches known bugs: a test build plants the one named in its environment.
func calibrate(f flags, c *cluster.Cluster) int {
	plants, err := readPlants(f.planted)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var results []caught
	missed := 0
	for _, bug := range plants {
		if f.name != "" && f.name != bug.Name {
			continue
		}
		result := catch(f, c, bug)
		results = append(results, result)
		if !result.Caught {
			missed++
		}
		fmt.Printf("%-32s caught %-5v by %-24s after %5.1f s  %s\n", bug.Name, result.Caught, strings.Join(result.Checks, ","),
			result.Seconds, result.First)
	}
	text, _ := json.MarshalIndent(results, "", "  ")
	if err := os.WriteFile(f.output, append(text, '\n'), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Printf("%d of %d caught\n", len(results)-missed, len(results))
	if missed > 0 || len(results) == 0 {
		return 1
	}
	return 0
}

func catch(f flags, c *cluster.Cluster, bug plant) caught {
	began := time.Now()
	result := caught{Bug: bug.Name}
	o := options(f)
	o.Env = []string{"LATTICE_PLANTED_BUG=" + bug.Name}
	for round := range roundsMax {
		name := bug.Scenarios[round%len(bug.Scenarios)]
		seed := f.seed + int64(round)
		one, err := scenario.Execute(c, name, seed, o)
		result.Seconds = time.Since(began).Seconds()
		if err != nil {
			fmt.Printf("  %s --seed %d did not run: %v\n", name, seed, err)
			continue
		}
		if len(one.Violations) > 0 {
			result.Caught, result.Checks, result.Scenario, result.Seed = true, one.Checks, name, seed
			result.First = one.Violations[0].Text
			return result
		}
	}
	return result
}
