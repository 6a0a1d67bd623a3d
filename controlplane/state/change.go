package state

// Change is what one revision did to one key.
type Change struct {
	// Revision is the store's, Era the era then.
	Revision int64
	Era      uint64
	// Old and New are what was and is there: nil for nothing, else a *Connector, *Assignment, *Lapsed, *Release,
	// *Offsets, *Session, *Status, *Replica or *HandBack, both of one type.
	Old, New any
}
