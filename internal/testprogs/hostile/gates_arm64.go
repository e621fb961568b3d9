package main

// Machine code.
const (
	callCode   = "\x01\x00\x00\xd4\xc0\x03\x5f\xd6"                 // svc #0; ret
	getpidCode = "\x88\x15\x80\xd2\x01\x00\x00\xd4\xc0\x03\x5f\xd6" // mov x8, SYS_GETPID; svc #0; ret
	loopCode   = "\x00\x00\x00\x14"                                 // b .

	callWord = 0xd4000001 // svc #0
	jumpWord = 0x14000004 // b to 16 bytes later
)
