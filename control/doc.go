// Package control steers a running machine from other processes: a server of
// HTTP with JSON on a Unix socket, and its client.
//
//	server, err := control.Serve(m, control.Options{})
//	…
//	client := control.NewClient(server.Path())
//	card, err := client.Unplug(ctx, "card0")
//
// docs/control.openapi.yaml describes the requests, so that a client can be
// written in any language; curl will do:
//
//	curl --unix-socket $UDRM_CONTROL -X POST http://udrm/v1/cards/card0/unplug
//
// # Sockets
//
// The socket of a machine is NAME.sock in a directory of the user:
// $XDG_RUNTIME_DIR/udrm, or /tmp/udrm-UID where the first cannot be used. The
// default NAME is the process ID. [Find] returns the socket of a machine; it
// also removes the sockets that crashed machines have left.
//
// The directory has mode 0700 and the socket 0600. In addition, the server asks
// the kernel for the user of each client (SO_PEERCRED). It refuses all users but
// its own and root.
//
// # Concurrency
//
// Each request has a goroutine of its own, and no request waits for another. The
// exception is Plug and Bind of one card, which take turns. When a client goes
// away, its wait ends. An unplug goes on.
//
// Lock order: Server.mu, held while a rule or a trace is attached, comes before
// the locks of packages aim and drm. The others are leaves.
//
// Start reading at [Serve]; routes.go lists the requests.
package control
