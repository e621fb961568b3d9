package launcher

import "github.com/udrm/udrm/host/internal/mounts"

// A namespace is the mount namespace of the programs, once it is made.
type namespace struct{ *mounts.Namespace }

// serve answers a request that is about the namespace.
func (n *namespace) serve(socket int, r *request) (err error) {
	if len(r.Changes) > 0 {
		answer := reply{}
		if err := n.Change(r.Changes); err != nil {
			answer = newReply(err)
		}
		return send(socket, answer)
	}
	if !r.Namespace {
		answer := reply{}
		if answer.Dev, err = n.Cover(r.Covers); err != nil {
			answer = newReply(err)
		}
		return send(socket, answer)
	}
	made, connections, err := mounts.New()
	if err != nil {
		return send(socket, newReply(err))
	}
	n.Namespace = made
	roots := made.Roots()
	err = send(socket, reply{Inode: roots.Namespace}, connections[0], connections[1], roots.Files, roots.Devices)
	closeAll(connections[:])
	return err
}
