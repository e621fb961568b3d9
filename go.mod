module github.com/udrm/udrm

go 1.26.0

require golang.org/x/sys v0.49.0

require github.com/alecthomas/kong v1.17.0 // indirect
