package drm

import "fmt"

// Data returns the driver's own data of a device, as it was given to
// [NewDevice]. It is there for as long as the device is. Without data, Data
// returns the zero T; it panics when the data is not a T.
func Data[T any](dev *Device) T { return typed[T](dev, "data", dev.data) }

// RegistrationData returns the data that was given to
// [UnregisteredDevice.Register]: it lives exactly as long as the registration.
// Without data, RegistrationData returns the zero T; it panics when the data is
// not a T.
//
// Invariant: the data has not been released. Why it holds: an unplug releases
// it after the last guard has exited.
func RegistrationData[T any](dev *RegisteredDevice) T {
	dev.valid()
	return typed[T](dev.Device, "registration data", dev.data)
}

// FileState returns the state that p made for f when f was opened; see
// [FilePart]. It panics when p is not attached to the device of f, or made
// another type.
func FileState[T any](f *File, p Part) T {
	d := f.minor.dev
	for i, other := range d.parts {
		if other == p {
			return typed[T](d, "file state", f.states[i])
		}
	}
	panic(fmt.Sprintf("drm: %T is not a part of %s", p, d.Name()))
}

func typed[T any](d *Device, what string, value any) T {
	t, ok := value.(T)
	if !ok && value != nil {
		panic(fmt.Sprintf("drm: the %s of %s is a %T, not a %T", what, d.Name(), value, *new(T)))
	}
	return t
}
