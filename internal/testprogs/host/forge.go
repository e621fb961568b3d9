package main

import "golang.org/x/sys/unix"

// forge tries to send events as the kernel and as udevd, which only root may.
func forge([]string) {
	s := must(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT))
	check(unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 3}))
	address, ok := must(unix.Getsockname(s)).(*unix.SockaddrNetlink)
	if !ok {
		failf("the address is not one of netlink")
	}
	equal(address.Groups, 3, "the groups of the socket")
	for _, group := range []uint32{1, 2} {
		to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: group}
		want(unix.Sendto(s, []byte("remove@/devices/x\x00"), 0, to), unix.EPERM, "sending to a group")
	}
}
