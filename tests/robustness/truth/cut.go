package truth

// Cut is the part of a chain up to a revision, which has to end a batch: the first that goes beyond it is left out.
func Cut(chain []*Batch, revision int64) []*Batch {
	for i, batch := range chain {
		if batch.LastRevision > revision {
			return chain[:i]
		}
	}
	return chain
}
