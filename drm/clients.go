package drm

// Clients returns the clients that have files of the device open, one for each
// file, in any order.
func (d *Device) Clients() []Client {
	d.fileMu.Lock()
	defer d.fileMu.Unlock()
	clients := make([]Client, 0, len(d.files))
	for f := range d.files {
		clients = append(clients, f.client)
	}
	return clients
}
