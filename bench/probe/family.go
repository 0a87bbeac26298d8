package probe

// Relative is a process of a family.
type Relative struct {
	PID, Parent int
	// Name is that of its program, of which Linux keeps 15 characters.
	Name string
}
