// Package drm is the core of a DRM subsystem in user space: devices and their
// registration, registration guards, minors, open files, masters, events, and
// the dispatch of ioctls.
//
// # Three lifetimes
//
// A display device can go away at any moment, while requests are in flight.
// Three lifetimes must not be mixed up:
//
//   - the [Device]: reference-counted, lives as long as an open file, a buffer
//     or a registration needs it;
//   - its parent as an object, a bus.Device: good for names and logs;
//   - its parent as bound hardware, a bus.BoundDevice: it ends when it ends.
//
// A [RegistrationGuard] is a cheap critical section that proves, at run time,
// that the third still holds: while a guard is open the device is registered
// and its parent is bound. Ending the [Registration] waits for all open
// guards, and from then on no new one can be had. The proof is a value: the
// [RegisteredDevice], which alone leads to the bound parent and to the
// registration's data, and which only a guard hands out.
//
//	guard, err := dev.RegistrationGuard()
//	if err != nil {
//		return err // ErrNotRegistered or ErrUnplugged; both are ENODEV
//	}
//	defer guard.Exit()
//	guard.Device().Parent() // bound, until Exit
//
// Nobody has to remember this for requests: every entry point of a client
// (open, ioctl, read, poll, mmap, close) runs inside a guard, and the handler
// of an ioctl receives the registered view and cannot be called without it.
//
// # From the kernel patch to this package
//
// The package implements the system of the patch "rust: drm: Add
// RegistrationGuard for drm_dev_enter/exit critical sections".
//
//	drm::Driver                     Driver
//	DriverInfo                      DriverInfo
//	UnregisteredDevice              UnregisteredDevice
//	Device<T, Normal>               Device
//	Device<T, Ioctl>                what Ioctl dispatch starts from; a handler gets a RegisteredDevice
//	Device<T, Registered>           RegisteredDevice
//	Device → T::Data                Data
//	Registered → Normal             RegisteredDevice embeds Device
//	registration_guard()            Device.RegistrationGuard, Device.WithGuard
//	RegistrationGuard, its Deref    RegistrationGuard, RegistrationGuard.Device
//	Drop for RegistrationGuard      RegistrationGuard.Exit
//	#[must_use], lifetimes          package guardcheck, for go vet; ClassOptions.CheckGuards, at run time
//	Registration, its Drop          Registration, Registration.Close
//	Devres-managed registration     Registration is a resource of the parent's devres
//	AsRef<ParentDevice<Bound>>      RegisteredDevice.Parent
//	RegistrationData                RegistrationData
//	drm_dev_enter/exit/unplug       package srcu
//
// What each promises, and why the promise holds, stands at its declaration.
//
// # Who holds up an unplug
//
// An unplug that has to wait is reported after a while ([DrainWatch]),
// with every open guard that is known by name: the requests of clients always,
// those that drivers take by themselves when guards are checked
// ([ClassOptions]). A context knows the guard that its user is inside of, so
// that [Registration.Close] with it, from inside a guard of the same device, is
// refused and does not hang.
//
// # Parts
//
// Modesetting (drm/kms), buffers (drm/gem) and fences (drm/syncobj) stand
// above this package. Each is a [Part] of a device and brings its own ioctls,
// its own state for each open file, and what it does in an unplug.
//
// The requests of a part that a device lacks are known all the same: they are
// checked, and refused with EOPNOTSUPP (requests.go).
//
// # Masters and leases
//
// One file at a time is master and may change what is shown (master.go). It
// can lease displays away: CREATE_LEASE gives the client another file, whose
// master is a lessee (lease.go). The lessee finds the objects of its lease
// only; the part that has objects asks [File.LeaseHeld] wherever a client
// names one. A lessee is master while its lessor is.
//
// # Clients
//
// A client is anything that can open a [Minor], send an ioctl with [Memory]
// behind an address, read, poll, map and close. Programs that package host
// supervises are clients; so are Go programs in the same process (see package
// drmtest).
//
// # Lock order
//
//	bus.Device.mu → Registration.mu → a Part's own locks → Class.mu
//	a Part's own locks → Device.masterMu
//	Device.fileMu, a Part's own locks → a file's lock of events (leaf)
//
// A guard is taken before any of these and never inside of them: an unplug
// waits for guards while it holds the lock of the parent.
//
// # Where to start reading
//
// guard.go (the guard), registration.go (the order of an unplug), then
// dispatch.go (the way of an ioctl).
package drm
