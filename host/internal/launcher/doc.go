// Package launcher starts the programs of a host in another process than the
// host's: the launcher. The launcher keeps all rights of the process that the
// user has started, so programs lose none, while the host gives up those that it
// does not need (package confine).
//
// [Confine] starts the launcher and then replaces this process by itself, with
// fewer capabilities. The replaced process has the other end of the launcher's
// socket. For each program the launcher installs the filter on a thread, sends
// the listener to the host, and starts the program as a child of the host's
// process (CLONE_PARENT), in the host's process group.
//
// The launcher hears no program and reads no file of one. It is in a process
// group of its own, so that the signals of a terminal miss it, and ends with its
// socket, which ends with the host's process.
package launcher
