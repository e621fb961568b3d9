// Package pollfd makes descriptors that another process holds and whose poll
// state this process sets. It knows nothing of what the descriptors stand for.
//
// A [Pipe] carries packets: the client has the read end, which the kernel
// polls, reads, duplicates and closes without asking anyone. A [Terminal] is
// polled and nothing else, and its two states (readable, writable) are set
// freely.
//
// Both tell when the last copy of the client's descriptor is closed, and both
// are recognized by their [ID].
//
// Lock order: Pipe.open, Pipe.mu.
package pollfd

import "golang.org/x/sys/unix"

// An ID identifies a file while it exists: its device and its inode.
type ID struct{ Dev, Inode uint64 }

// IDOf returns the ID of the file with the status st.
func IDOf(st *unix.Stat_t) ID { return ID{st.Dev, st.Ino} }
