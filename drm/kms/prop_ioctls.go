package kms

import (
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

func (m *ModeConfig) getProperty(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeGetProperty) error {
	p, ok := findAs[*Property](&m.objects, arg.PropID, uapi.ModeObjectProperty)
	if !ok {
		return notFound("property", arg.PropID)
	}
	arg.Name = [32]byte{}
	copy(arg.Name[:len(arg.Name)-1], p.name)
	arg.Flags = p.flags
	if err := drm.PutSome(req, arg.ValuesPtr, &arg.CountValues, p.values); err != nil {
		return err
	}
	if p.is(uapi.ModePropBlob) {
		arg.CountEnumBlobs = 0
	}
	if !p.is(uapi.ModePropEnum) && !p.is(uapi.ModePropBitmask) {
		return nil
	}
	enums := make([]uapi.ModePropertyEnum, len(p.enums))
	for i, name := range p.enums {
		enums[i].Value = p.values[i]
		copy(enums[i].Name[:len(enums[i].Name)-1], name)
	}
	return drm.PutSome(req, arg.EnumBlobPtr, &arg.CountEnumBlobs, enums)
}

// putProperties writes the properties of o that the client may see. Properties
// of atomic modesetting are for clients with DRM_CLIENT_CAP_ATOMIC.
func (m *ModeConfig) putProperties(req *drm.Request, o Object, s *State, idsPtr, valuesPtr uint64, count *uint32) error {
	caps := req.File.Caps()
	var ids []uint32
	var values []uint64
	l := o.props()
	for i := range l.list {
		at := &l.list[i]
		if at.property.flags&uapi.ModePropAtomic != 0 && !caps.Atomic || hiddenColors(o, at.property, caps) {
			continue
		}
		ids = append(ids, at.property.id)
		values = append(values, m.property(o, s, at))
	}
	room := *count
	if err := drm.PutSome(req, idsPtr, count, ids); err != nil {
		return err
	}
	*count = room
	return drm.PutSome(req, valuesPtr, count, values)
}

// hiddenColors reports whether a client with these capabilities does not see the
// property because it has, or has not, chosen colour pipelines. As in the kernel,
// it can set the property all the same.
func hiddenColors(o Object, property *Property, caps drm.ClientCapSet) bool {
	p, ok := o.(*Plane)
	switch {
	case !ok:
		return false
	case property == p.colorPipeline:
		return !caps.PlaneColorPipeline
	}
	return caps.PlaneColorPipeline && (property == p.colorEncoding || property == p.colorRange)
}

// findObject returns the object with the given id and type. Errors: ENOENT if
// it does not exist, EINVAL if it has no properties.
func (m *ModeConfig) findObject(f *drm.File, id, objectType uint32) (Object, error) {
	o := m.find(f, id, objectType)
	if o == nil {
		return nil, notFound("object", id)
	}
	p, ok := o.(Object)
	if !ok {
		m.objects.release(o)
		return nil, invalid("object %d has no properties", id)
	}
	return p, nil
}

func (m *ModeConfig) objGetProperties(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeObjGetProperties) error {
	o, err := m.findObject(req.File, arg.ObjID, arg.ObjType)
	if err != nil {
		return err
	}
	return m.putProperties(req, o, m.State(), arg.PropsPtr, arg.PropValuesPtr, &arg.CountProps)
}

func (m *ModeConfig) connectorSetProperty(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeConnectorSetProperty) error {
	return m.objSetProperty(dev, req, &uapi.ModeObjSetProperty{
		Value: arg.Value, PropID: arg.PropID, ObjID: arg.ConnectorID, ObjType: uapi.ModeObjectConnector,
	})
}

func (m *ModeConfig) objSetProperty(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeObjSetProperty) error {
	o, err := m.findObject(req.File, arg.ObjID, arg.ObjType)
	if err != nil {
		return err
	}
	p := o.props().find(arg.PropID)
	if p == nil {
		return invalid("object %d has no property %d", arg.ObjID, arg.PropID)
	}
	return m.commit(dev, commitOptions{ctx: req.Context()}, func(a *AtomicState) error {
		if c, ok := o.(*Connector); ok && p == m.standard.dpms && !c.freed {
			a.setDPMS(c, arg.Value)
			return nil
		}
		a.req = req
		err := a.setProperty(req.File, o, p, arg.Value)
		a.forgetOutFences()
		return err
	})
}

// setDPMS sets the legacy property DPMS (drm_atomic_connector_commit_dpms). A
// CRTC is active while one of its connectors is on. All values but "on" mean
// off. Setting the same value again does nothing.
func (a *AtomicState) setDPMS(c *Connector, value uint64) {
	mode := dpms(value == uapi.ModeDPMSOn)
	if a.new.connectors[c.index].DPMS == mode {
		return
	}
	s := a.connector(c)
	s.DPMS = mode
	if s.CRTC == nil {
		return
	}
	active := false
	for _, other := range a.new.connectors {
		active = active || other.CRTC == s.CRTC && other.DPMS == uapi.ModeDPMSOn
	}
	a.crtc(s.CRTC).Active = active
}

func dpms(on bool) uint32 {
	if on {
		return uapi.ModeDPMSOn
	}
	return uapi.ModeDPMSOff
}
