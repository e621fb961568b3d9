package kms

// CreateScalingFilterProperty lets clients choose the filter of the CRTC's own
// scaler, if the driver has one: see [Plane.CreateScalingFilterProperty]. The
// picture of this package is not scaled by CRTCs
// (drm_crtc_create_scaling_filter_property).
func (c *CRTC) CreateScalingFilterProperty(filters uint32) {
	c.scalingFilter = c.display.scalingFilterProperty(filters)
	c.properties.attach(c.scalingFilter, 0)
}

// AttachBackgroundColorProperty lets clients choose what is seen where no plane
// is: BACKGROUND_COLOR, from the highest 16 bits alpha, red, green and blue. It
// begins with black. Alpha does not count
// (drm_crtc_attach_background_color_property).
func (c *CRTC) AttachBackgroundColorProperty() {
	s := &c.display.standard
	if s.background == nil {
		s.background = c.display.newBackground()
	}
	c.background = s.background
	c.properties.attach(c.background, 0)
}

// SetInitial makes SCALING_FILTER or BACKGROUND_COLOR begin with value. It does nothing
// without the property, or for a value that it does not have.
func (c *CRTC) SetInitial(name string, value uint64) {
	c.display.checkNotInUse()
	for _, property := range []*Property{c.scalingFilter, c.background} {
		if property == nil || property.name != name {
			continue
		}
		if _, ok := property.takes(&c.display.objects, value); !ok {
			return
		}
		if property == c.background {
			c.initial.BackgroundColor = value
		} else {
			c.initial.ScalingFilter = ScalingFilter(value)
		}
	}
}

// backgroundBlack is the first value of BACKGROUND_COLOR.
const backgroundBlack = 0xffff << 48
