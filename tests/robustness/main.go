// Command robustness breaks a cluster of Lattice nodes in seeded ways, and judges what black-box clients saw.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/report"
	"lattice/tests/robustness/scenario"
)

// skipped is what ctest shows as such.
const skipped = 77

type flags struct {
	lattice, tier, name, commit, output, keep, planted, record, folder string
	seed, recordUpTo                                                   int64
	list, schedule, calibrate, require                                 bool
	slack                                                              float64
	limit                                                              time.Duration
}

func parse() flags {
	var f flags
	flag.StringVar(&f.lattice, "lattice", "", "the binary under test")
	flag.StringVar(&f.tier, "tier", "pr", "pr (28 scenarios), full (224) or soak (450)")
	flag.StringVar(&f.name, "scenario", "", "run this one, or these with commas between them, with -seed for the first")
	flag.Int64Var(&f.seed, "seed", 1, "of the scenario, or of the tier's first")
	flag.StringVar(&f.commit, "commit", "", "named in the report")
	flag.StringVar(&f.output, "output", "robustness.json", "the report")
	flag.StringVar(&f.keep, "keep", "", "folder for the histories and logs of scenarios that failed")
	flag.StringVar(&f.record, "record", "", "file for the beginning of the scenario's history, as test data for the checks")
	flag.Int64Var(&f.recordUpTo, "record-up-to", 450, "the revision up to which -record keeps it")
	flag.StringVar(&f.folder, "folder", "", "where the processes keep their data; empty: in memory, if there is room")
	flag.BoolVar(&f.list, "list", false, "name the scenarios")
	flag.BoolVar(&f.schedule, "schedule", false, "print the schedule and do not run it")
	flag.BoolVar(&f.calibrate, "calibrate", false, "plant the bugs of -planted, one after the other, until each is caught")
	flag.StringVar(&f.planted, "planted", "planted.txt", "the list of bugs")
	flag.BoolVar(&f.require, "require-followers", false, "fail when a node refuses linearizable reads without a fault")
	flag.Float64Var(&f.slack, "slack", 1, "factor on the limits of recovery, for busy machines")
	flag.DurationVar(&f.limit, "limit", 0, "start no further scenario after this time; what was left out is reported")
	flag.Parse()
	return f
}

func main() {
	f := parse()
	switch {
	case f.list:
		for _, name := range scenario.Names() {
			fmt.Println(name)
		}
	case f.schedule:
		printSchedule(f)
	default:
		os.Exit(run(f))
	}
}

func printSchedule(f flags) {
	plan, err := scenario.Make(f.name, f.seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, line := range plan.Describe() {
		fmt.Println(line)
	}
}

func run(f flags) int {
	if f.lattice == "" {
		fmt.Fprintln(os.Stderr, "-lattice PATH is needed")
		return 2
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		fmt.Fprintln(os.Stderr, "SKIPPED: the robustness scenarios need redis-server")
		return skipped
	}
	c, err := cluster.New(f.lattice, f.folder)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer c.Close()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-interrupted
		c.Close()
		os.Exit(130)
	}()
	if f.calibrate {
		return calibrate(f, c)
	}
	return runTier(f, c)
}

func options(f flags) scenario.Options {
	return scenario.Options{Binary: f.lattice, RequireFollowers: f.require, Slack: f.slack, Calm: tierCalm[f.tier],
		Log: func(format string, arguments ...any) { fmt.Printf("  "+format+"\n", arguments...) }}
}

func runTier(f flags, c *cluster.Cluster) int {
	runs, err := tier(f)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	r := report.New(f.commit, f.tier)
	began := time.Now()
	mounts := cluster.CanMount()
	for i, one := range runs {
		if plan, err := scenario.Make(one.name, one.seed); err == nil && plan.SmallVolume && !mounts {
			fmt.Printf("%s --seed %d\n  LEFT OUT: it needs the right to mount\n", one.name, one.seed)
			r.LeftOut++
			continue
		}
		if f.limit > 0 && time.Since(began) > f.limit {
			r.LeftOut += len(runs) - i
			break
		}
		runOne(f, c, one, r)
	}
	r.Took(time.Since(began))
	if err := r.Write(f.output); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Print(r.Summary())
	if !r.Passed() {
		return 1
	}
	return 0
}
