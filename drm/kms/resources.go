package kms

import (
	"slices"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

func (m *ModeConfig) getResources(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCardRes) error {
	var connectors []uint32
	for _, c := range held(req.File, m.Connectors()) {
		if !c.writeback() || req.File.Caps().WritebackConnectors {
			connectors = append(connectors, c.id)
		}
	}
	limits := &m.config.Limits
	arg.MinWidth, arg.MaxWidth = limits.MinWidth, limits.MaxWidth
	arg.MinHeight, arg.MaxHeight = limits.MinHeight, limits.MaxHeight
	if err := drm.PutSome(req, arg.FBIDPtr, &arg.CountFBs, m.file(req.File).fbIDs()); err != nil {
		return err
	}
	if err := drm.PutSome(req, arg.CRTCIDPtr, &arg.CountCRTCs, ids(held(req.File, m.crtcs))); err != nil {
		return err
	}
	if err := drm.PutSome(req, arg.EncoderIDPtr, &arg.CountEncoders, ids(m.allEncoders())); err != nil {
		return err
	}
	return drm.PutSome(req, arg.ConnectorIDPtr, &arg.CountConnectors, connectors)
}

func (m *ModeConfig) getConnector(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeGetConnector) error {
	c, err := m.findConnector(req.File, arg.ConnectorID)
	if err != nil {
		return err
	}
	arg.ConnectorType, arg.ConnectorTypeID = c.config.Type, c.typeID.Load()
	if err := drm.PutAll(req, arg.EncodersPtr, &arg.CountEncoders, ids(c.encoders)); err != nil {
		return err
	}
	// A request without room for modes probes the connector. Only the master
	// may do that.
	if arg.CountModes == 0 && req.File.IsMaster() {
		c.probe()
	}
	caps := req.File.Caps()
	probed := c.lastProbe()
	arg.Connection = probed.connection
	arg.MmWidth, arg.MmHeight, arg.Subpixel = probed.widthMM, probed.heightMM, c.config.Subpixel
	infos := modeInfos(probed.modes, caps)
	if err := drm.PutAll(req, arg.ModesPtr, &arg.CountModes, infos); err != nil {
		return err
	}
	state := m.State()
	arg.EncoderID = uint32(optionalID(state.Connector(c).BestEncoder))
	return m.putProperties(req, c, state, arg.PropsPtr, arg.PropValuesPtr, &arg.CountProps)
}

// modeInfos returns the modes that a client with the given capabilities sees.
func modeInfos(modes []mode.Mode, caps drm.ClientCapSet) []uapi.ModeInfo {
	var infos []uapi.ModeInfo
	var shown []mode.Mode
	for _, m := range modes {
		if m.Flags&uapi.ModeFlag3DMask != 0 && !caps.Stereo3D {
			continue
		}
		if !caps.AspectRatio {
			// Of modes that differ in aspect ratio only, show the first.
			m.Flags &^= uapi.ModeFlagPicARMask
			if slices.ContainsFunc(shown, func(other mode.Mode) bool { return m.Equal(&other) }) {
				continue
			}
			shown = append(shown, m)
		}
		infos = append(infos, m.Info())
	}
	return infos
}

func (m *ModeConfig) getEncoder(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeGetEncoder) error {
	e, ok := findAs[*Encoder](&m.objects, arg.EncoderID, uapi.ModeObjectEncoder)
	if !ok {
		return notFound("encoder", arg.EncoderID)
	}
	arg.CRTCID = 0
	for _, cs := range m.State().connectors {
		if cs.BestEncoder == e {
			arg.CRTCID = heldCRTC(req.File, cs.CRTC)
		}
	}
	arg.EncoderType = e.config.Type
	arg.PossibleCRTCs, arg.PossibleClones = m.heldMask(req.File, e.config.PossibleCRTCs), e.config.PossibleClones
	return nil
}

func (m *ModeConfig) getCRTC(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCRTC) error {
	c, err := m.findCRTC(req.File, arg.CRTCID)
	if err != nil {
		return err
	}
	state := m.State()
	cs, ps := state.CRTC(c), state.Plane(c.config.Primary)
	arg.GammaSize = uint32(c.config.GammaSize)
	arg.FBID = uint32(optionalID(ps.FB))
	arg.X, arg.Y = ps.SrcX>>16, ps.SrcY>>16
	arg.ModeValid = uint32(boolValue(cs.Enable))
	if cs.Enable {
		arg.Mode = modeInfo(&cs.Mode, req.File.Caps().AspectRatio)
	}
	return nil
}

func (m *ModeConfig) getPlaneResources(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeGetPlaneRes) error {
	var planes []uint32
	for _, p := range held(req.File, m.planes) {
		if p.hiddenFrom(dev, req.File) {
			continue
		}
		if p.config.Type == uapi.PlaneTypeOverlay || req.File.Caps().UniversalPlanes {
			planes = append(planes, p.id)
		}
	}
	return drm.PutSome(req, arg.PlaneIDPtr, &arg.CountPlanes, planes)
}

// hiddenFrom reports whether p is a hardware cursor, or a cursor plane with a
// hotspot. Atomic clients must say that they know hotspots: without them, the cursor
// of a virtual machine is displaced.
func (p *Plane) hiddenFrom(dev *drm.RegisteredDevice, f *drm.File) bool {
	caps := f.Caps()
	return p.id == 0 || p.config.Type == uapi.PlaneTypeCursor && dev.Has(drm.FeatureCursorHotspot) && caps.Atomic && !caps.CursorPlaneHotspot
}

func (m *ModeConfig) getPlane(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeGetPlane) error {
	p, err := m.findPlane(req.File, arg.PlaneID)
	if err != nil {
		return err
	}
	ps := m.State().Plane(p)
	arg.CRTCID, arg.FBID = heldCRTC(req.File, ps.CRTC), uint32(optionalID(ps.FB))
	arg.PossibleCRTCs = m.heldMask(req.File, p.config.PossibleCRTCs)
	arg.GammaSize = 0
	return drm.PutAll(req, arg.FormatTypePtr, &arg.CountFormatTypes, p.config.Formats)
}
