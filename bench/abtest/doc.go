// Package abtest runs two programs in turn on this machine, so that whatever
// the machine does meets both: A, another git revision or a command, and B, the
// working tree or another command.
//
// [Prepare] builds both revisions without touching the repository: the other
// one is written out of git's objects into a temporary folder by way of an index
// of its own, so that no worktree is registered, and no reference, index or file
// of the repository changes, also where the process is killed. [RunPairs] runs
// the pairs of a scenario's trials, [RunCommands] those of two commands. Both
// stop as soon as the looks that were fixed beforehand decide; package
// results/pairs judges.
package abtest
