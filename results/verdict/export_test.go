package verdict

// Decisions returns all decisions, lightest first.
func Decisions() (all []Decision) {
	for _, d := range decisions {
		all = append(all, d.decision)
	}
	return all
}
