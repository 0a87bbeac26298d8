// Package group has commands run in process groups of their own: a Ctrl-C in the
// terminal reaches Floodgate alone, which ends them in order, and all that they
// started can be ended with them.
package group
