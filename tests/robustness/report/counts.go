// Package report is what a run of scenarios says about itself.
package report

import (
	"sort"
	"sync"
	"time"
)

// Names of what is counted, as the targets table has them.
const (
	KVOps               = "checked_kv_ops"
	WatchEvents         = "checked_watch_events"
	NodeKills           = "lattice_kills"
	NodeStops           = "lattice_clean_ends"
	BackendTerminations = "postgres_backend_terminations"
	PostmasterKills     = "postgres_postmaster_kills"
	SyncFailovers       = "postgres_failovers_sync"
	AsyncFailovers      = "postgres_failovers_async"
	Ambiguous           = "ambiguous_commits_resolved"
	UnknownOutcomes     = "client_unknown_outcomes"
	Pauses              = "sigstop_pauses"
	ProxyFaults         = "proxy_faults"
	RedisKills          = "redis_kills"
	RedisLossySeconds   = "redis_lossy_seconds"
	RedisTouched        = "redis_messages_dropped_repeated_reordered"
	RedisForged         = "redis_messages_forged"
	CompactionCrashes   = "crashes_during_compaction"
	DiskFull            = "disk_full"
	Compactions         = "compactions"
	Leases              = "leases"
	WatchStreams        = "watch_streams"
	Progress            = "progress_notifications"
	CompactedWatches    = "watches_cancelled_as_compacted"
	PorcupineOps        = "porcupine_ops"
	LostTailWrites      = "acknowledged_writes_lost_by_async_failover"
	Reruns              = "reruns_below_minimum_traffic"
)

// Counts are sums by name. Safe for several goroutines.
type Counts struct {
	mutex sync.Mutex
	sums  map[string]float64
}

// Add adds.
func (c *Counts) Add(name string, n float64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.sums == nil {
		c.sums = map[string]float64{}
	}
	c.sums[name] += n
}

// Get returns a sum.
func (c *Counts) Get(name string) float64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.sums[name]
}

// Merge adds another's sums.
func (c *Counts) Merge(other *Counts) {
	for name, n := range other.Sums() {
		c.Add(name, n)
	}
}

// Sums is a copy.
func (c *Counts) Sums() map[string]float64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	sums := map[string]float64{}
	for name, n := range c.sums {
		sums[name] = n
	}
	return sums
}

func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// Quantiles of durations, in milliseconds.
func Quantiles(durations []time.Duration) map[string]float64 {
	sorted := append([]time.Duration(nil), durations...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	found := map[string]float64{}
	for name, share := range map[string]float64{"p50": 0.5, "p99": 0.99, "max": 1} {
		found[name] = float64(quantile(sorted, share).Microseconds()) / 1000
	}
	return found
}
