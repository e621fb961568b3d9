module github.com/udrm/udrm

go 1.26.0

require golang.org/x/sys v0.49.0

require go.yaml.in/yaml/v3 v3.0.6

require github.com/coder/websocket v1.8.14

require github.com/hanwen/go-fuse/v2 v2.12.1

require github.com/godbus/dbus/v5 v5.2.4

require (
	github.com/alecthomas/kong v1.17.0
	github.com/anishathalye/porcupine v1.3.1
	github.com/puzpuzpuz/xsync/v4 v4.5.0
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/tools v0.52.0
)
