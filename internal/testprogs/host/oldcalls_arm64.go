package main

// oldPathCalls is empty: arm64 has only calls that take a directory, too.
var oldPathCalls []uintptr

func isAccess(uintptr) bool { return false }
