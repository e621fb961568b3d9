package confine

// ownRefused is empty: arm64 has no calls that others lack.
var ownRefused []uint32
