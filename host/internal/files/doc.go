// Package files keeps the files that programs have open and this process
// serves.
//
// A [File] is a node, or a file that a request has given out. The program has
// the read end of a pipe (package pollfd), in any number of descriptors and
// processes. Events are written to the write end. When the last descriptor of
// the read end is closed, the write end shows an error: that is the release.
// A [Table] holds the files and releases them.
//
// A pipe is recognized by its inode number, and by an inotify watch: numbers of
// pipes have 32 bits and wrap, which a program can bring about in some hours
// (proof.go).
//
// [Attributes] are the virtual files that programs have open for writing. What
// they write arrives in a pipe and is stored from there.
//
// Lock order:
//
//	locks of drm → Table.mu (a hang-up), those of pipes (an event)
//	Table.mu → File.mu
//	Table.mu, File.reading → those of pipes
//
// Attributes.mu and File.mu are leaves. No lock is held while a file is released
// (release.go) or a write is stored (writer.go), which may take long. None is
// held while memory of a program is written, except File.reading: only readers
// of the same file wait for it.
package files
