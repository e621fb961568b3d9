#include "textflag.h"

// func gate80(nr, a, b, c uintptr) uintptr
TEXT ·gate80(SB), NOSPLIT, $0-40
	MOVQ nr+0(FP), AX
	MOVQ a+8(FP), BX
	MOVQ b+16(FP), CX
	MOVQ c+24(FP), DX
	INT  $0x80
	MOVQ AX, ret+32(FP)
	RET

// func callAtAddress(p *byte, nr, a, b, c, d, e, f uintptr) uintptr
TEXT ·callAtAddress(SB), NOSPLIT, $16-72
	MOVQ p+0(FP), R12
	MOVQ nr+8(FP), AX
	MOVQ a+16(FP), DI
	MOVQ b+24(FP), SI
	MOVQ c+32(FP), DX
	MOVQ d+40(FP), R10
	MOVQ e+48(FP), R8
	MOVQ f+56(FP), R9
	CALL R12
	MOVQ AX, ret+64(FP)
	RET
