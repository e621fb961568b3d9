// Package cleaner ends the programs of a host whose process was killed, and
// removes its private directory. A process of its own does this: the cleaner.
//
// The cleaner reads a socket whose other end only the host's process has open.
// The socket ends with that process, however it ends. A host that ends as
// planned kills the cleaner first.
//
// The host tells the cleaner the marker that the programs have in their
// environment, and gives it a copy of each seccomp listener. When the socket
// ends, the cleaner kills
//
//   - each process that has the marker in its environment,
//   - each process that has made a call that was handed over (Callers),
//   - the descendants of these processes, whatever environment they have, and
//   - each process whose call arrives at a listener.
//
// It repeats this until the listeners hang up.
//
// Invariant: when the cleaner ends, no process of the host is left. Why it
// holds: each process of the host is under the filter of a listener, and no
// process can leave its filter. A listener hangs up when the last process under
// its filter ends.
//
// The cleaner kills no other process. Why: the marker is random, so another
// process has it only by copying it. A call is handed over, to the host or to
// the cleaner, only from under the filter. Callers says why no other process is
// taken for a caller that has ended.
//
// One process may live on until its next call that is handed over: it has
// dropped the marker, has made no such call since its fork, and its parents
// have ended. The filter hands over most calls with a path.
package cleaner
