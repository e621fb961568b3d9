// Package drm is the core of a DRM subsystem in user space: devices and their
// registration, registration guards, minors, open files, masters, events, and
// the dispatch of ioctls.
//
// # Three lifetimes
//
// A display device can go away at any moment, while requests are in flight.
// Three lifetimes must not be mixed up:
//
//   - the [Device]: reference-counted, it lives as long as an open file, a buffer
//     or a registration needs it;
//   - its parent as an object, a bus.Device: good for names and logs;
//   - its parent as bound hardware, a bus.BoundDevice: no reference keeps it.
//
// A [RegistrationGuard] is a cheap critical section that proves, at run time,
// that the third still lives: while a guard is open the device is registered
// and its parent is bound. The end of the [Registration] waits for all open
// guards, and from then on none can be taken. The proof is a value, the
// [RegisteredDevice]: only it leads to the bound parent and to the
// registration's data, and only a guard returns it.
//
//	guard, err := dev.RegistrationGuard()
//	if err != nil {
//		return err // ErrNotRegistered or ErrUnplugged; both are ENODEV
//	}
//	defer guard.Exit()
//	guard.Device().Parent() // bound, until Exit
//
// For requests this is done already: every entry point of a client (open,
// ioctl, read, poll, mmap, close) runs inside a guard, and the handler of an
// ioctl receives the registered view.
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
// The declaration of each says what it promises, and why the promise holds.
//
// # Slow unplugs
//
// An unplug that has to wait is reported after a while ([DrainWatch]), with
// every open guard that is known by name: those of requests always, those that
// drivers take themselves when guards are checked ([ClassOptions]). The context
// of a request or view carries its guard. [Registration.Close] with such a
// context, from inside a guard of the same device, returns [ErrInsideGuard]
// instead of waiting for ever.
//
// # Parts
//
// Modesetting (drm/kms), buffers (drm/gem) and sync objects (drm/syncobj) are
// packages above this one. Each is a [Part] of a device, with its own ioctls,
// its own state for each open file, and its own step in an unplug.
//
// As in the kernel, the requests of a part that a device lacks are checked like
// others, and then fail with EOPNOTSUPP (requests.go).
//
// # Masters and leases
//
// One file at a time is master and may change what is shown (master.go). It can
// lease displays: CREATE_LEASE gives the client another file, whose master is a
// lessee (lease.go). A lessee finds only the objects of its lease; the part
// with the objects calls [File.LeaseHeld] for each object that a client names.
// A lessee is master while its lessor is.
//
// # Clients
//
// A client is anything that can open a [Minor], send an ioctl with an address
// in its [Memory], read, poll, map and close. Programs under package host are
// clients; so is Go code in the same process (see package drmtest).
//
// # Lock order
//
//	bus.Device.mu → Registration.mu → a Part's own locks → Class.mu
//	a Part's own locks → Device.masterMu
//	Device.fileMu, a Part's own locks → a file's lock of events (leaf)
//	records.mu is a leaf.
//
// A guard is taken before any of these locks, and never with one held: an
// unplug waits for guards with the lock of the parent held.
//
// # Where to start reading
//
// guard.go (the guard), registration.go (the order of an unplug), then
// dispatch.go (the way of an ioctl).
package drm
