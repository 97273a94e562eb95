package check

import (
	"bytes"

	"lattice/tests/robustness/truth"
)

// LogItself reports what the log's replay found, and compares what is left in the database with it (18, 19).
func LogItself(log *truth.Log, left []truth.Survivor, verdict *Verdict) {
	for _, problem := range log.Problems {
		verdict.add("log", "%s", problem)
	}
	byKey := map[string]truth.Survivor{}
	for _, survivor := range left {
		byKey[string(survivor.Key)] = survivor
	}
	for _, name := range log.Names() {
		kv := log.At(name, log.Head)
		survivor, is := byKey[name]
		delete(byKey, name)
		switch {
		case kv == nil && is:
			verdict.add("log", "19: %q is deleted, and lattice.keys has it at %d", name, survivor.Revision)
		case kv != nil && !is:
			verdict.add("log", "18: %q of %d is not in lattice.keys", name, kv.ModRevision)
		case kv != nil && (survivor.Revision != kv.ModRevision || survivor.Version != kv.Version ||
			survivor.Lease != kv.Lease || survivor.CreateRevision != kv.CreateRevision ||
			!bytes.Equal(survivor.Value, kv.Value)):
			verdict.add("log", "18: %q is at %d in lattice.keys, at %d in the log", name, survivor.Revision, kv.ModRevision)
		}
	}
	for name := range byKey {
		verdict.add("log", "19: %q is in lattice.keys and not in the log", name)
	}
}

// NodeHash is what one node answered to HashKV.
type NodeHash struct {
	Node              int
	Revision, Compact int64
	Hash              uint32
}

// Hashes checks 18 and 50: equal at equal revisions.
func Hashes(hashes []NodeHash, verdict *Verdict) {
	for i, a := range hashes {
		for _, b := range hashes[i+1:] {
			if a.Revision == b.Revision && a.Compact == b.Compact && a.Hash != b.Hash {
				verdict.add("hash", "50: nodes %d and %d have hashes %x and %x at revision %d", a.Node, b.Node, a.Hash, b.Hash,
					a.Revision)
			}
		}
	}
}
