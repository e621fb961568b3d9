// Package view shows a running machine in a browser: the live picture of each
// connector, the tree of cards, their clients and open guards, the drain of an
// unplug, the requests as they come. Buttons steer the machine and inject
// faults.
//
//	page, err := view.Serve(m, controlServer, view.Options{})
//	…
//	fmt.Println(page.URL())
//
// # The page
//
// The files of the page are in this binary. The page opens a WebSocket, /watch,
// on which the server sends the tree, the trace and the pictures (protocol.go).
// Its buttons send the requests of package control.
//
// # Cost
//
// Nothing is composed, traced or encoded without a viewer. A viewer names the
// screens that it shows; a hidden page shows none. Pictures are sent as they
// are, without compression, but only the tiles that changed: on the loopback
// interface, copying is cheaper than any encoder. The benchmark measures it.
//
// A viewer confirms each picture when it has drawn it, and the next one is
// composed then. So a slow viewer gets fewer pictures. Records of requests wait
// in a queue of limited size, and are dropped when it is full. No program waits
// for a viewer.
//
// # Security
//
// A client that has the token controls the machine, but it cannot make the
// machine write files: see [control.Server.Handler]. The server listens on the loopback
// interface only. Each request needs the random token of the URL, except for files
// of the page that are the same everywhere. The page sends the token itself, and no
// cookie has it: other pages of the browser cannot use it, and no server on another
// port learns it. The Host header must name the loopback interface, so a foreign
// domain that resolves to it (DNS rebinding) is refused.
//
// Every user of the computer can connect. If there are too many connections, the
// oldest one that has never sent the token ends.
//
// Names and data of programs are hostile. The page inserts them as text only,
// and a Content-Security-Policy forbids all other scripts.
//
// # Lock order
//
// Server.mu is a leaf, as are the locks of a viewer.
//
// Start reading at [Serve].
package view
