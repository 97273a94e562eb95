package check

import (
	"time"

	"lattice/tests/robustness/history"
	"lattice/tests/robustness/truth"
)

// Rules are what a run allows.
type Rules struct {
	LostTail  bool
	Leases    LeaseRules
	Porcupine time.Duration // how long it may take
}

// Result is the verdict with its counts.
type Result struct {
	Verdict      Verdict
	Watches      WatchCounts
	LostWrites   int // acknowledged ones behind a lost tail, which are allowed to be gone
	Porcupine    string
	PorcupineOps int
}

// History runs every check that needs only the history and the log.
func History(h *history.History, log *truth.Log, rules Rules) Result {
	var result Result
	verdict := &result.Verdict
	result.LostWrites = KV(h, log, rules.LostTail, verdict)
	RealTime(h, verdict)
	Serializable(h, verdict)
	Refusals(h, log, verdict)
	rules.Leases.LostTail = rules.LostTail
	Leases(h, log, rules.Leases, verdict)
	result.Watches = Watches(h, log, rules.LostTail, verdict)
	if !rules.LostTail {
		result.Porcupine, result.PorcupineOps = Porcupine(h, log, rules.Porcupine, verdict)
	}
	return result
}
