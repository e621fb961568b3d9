#include "textflag.h"

// func gate80(nr, a, b, c uintptr) uintptr
TEXT ·gate80(SB), NOSPLIT, $0-40
	MOVD $-38, R0
	MOVD R0, ret+32(FP)
	RET

// func callAtAddress(p *byte, nr, a, b, c, d, e, f uintptr) uintptr
TEXT ·callAtAddress(SB), NOSPLIT, $16-72
	MOVD p+0(FP), R9
	MOVD nr+8(FP), R8
	MOVD a+16(FP), R0
	MOVD b+24(FP), R1
	MOVD c+32(FP), R2
	MOVD d+40(FP), R3
	MOVD e+48(FP), R4
	MOVD f+56(FP), R5
	BL   (R9)
	MOVD R0, ret+64(FP)
	RET
