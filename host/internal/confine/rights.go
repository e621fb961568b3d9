package confine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// kept are the capabilities that a host uses.
var kept = []uint{
	unix.CAP_SYS_PTRACE,      // memory and descriptors of programs of other users
	unix.CAP_DAC_OVERRIDE,    // looks at files for programs that have it
	unix.CAP_DAC_READ_SEARCH, // the same
	unix.CAP_SETUID,          // looks at files with the user of a program
	unix.CAP_SETGID,          // and with its groups
	unix.CAP_KILL,            // ends what programs of other users leave behind
	unix.CAP_SYS_RESOURCE,    // the limit of descriptors
	unix.CAP_SYS_ADMIN,       // the network namespace for uevents, and sending as its kernel
	unix.CAP_NET_ADMIN,       // sending uevents as udevd
}

// DropCapabilities takes all capabilities but those that a host uses from the
// calling thread. With no_new_privs, which it sets too, no exec gives them back.
//
// A process without CAP_SYS_PTRACE, as root has it in most containers, keeps
// all: the kernel lets it look only at programs that have no capability that
// it lacks.
func DropCapabilities() error {
	var keep uint64
	for _, c := range kept {
		keep |= 1 << c
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	if data[0].Permitted&(1<<unix.CAP_SYS_PTRACE) != 0 {
		for i := range data {
			word := uint32(keep >> (32 * i))
			data[i].Permitted &= word
			data[i].Effective &= word
			data[i].Inheritable &= word
		}
		if err := unix.Capset(&header, &data[0]); err != nil {
			return fmt.Errorf("capset: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	return nil
}

// Hide makes this process undumpable: without CAP_SYS_PTRACE, no other process
// may trace it, read its memory or take its descriptors, whatever their users.
func Hide() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_DUMPABLE: %w", err)
	}
	return nil
}
