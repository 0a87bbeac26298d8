// Package search finds out, by trials, what a system can do. There are two
// searches, each a pure algorithm that says what to try next, and one driver that
// has trials run by package experiment and stored before the next one starts:
//
//   - [Limits] tries a closed loop at the limits 1, 2, 4, … in blocks of random order
//     until throughput falls or rises no more, then some around the knee, and the
//     adaptive strategy beside them.
//   - [Rates] doubles the rate of reports of a service until its SLO fails,
//     bisects, and confirms what held for a longer window ([RateSearch]).
//
// For example, a service that holds 6, 12 and 24 reports a second and fails at 48 is
// tried at 33.9 next, halfway on a logarithmic scale, and then at 28.5 or 40.3.
package search
