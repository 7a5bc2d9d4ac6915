# Writes an assembler file that carries DATA as nv_rpc_descriptors[nv_rpc_descriptors_size].
file(
  WRITE ${OUT}
  "    .section .rodata
    .global nv_rpc_descriptors
    .global nv_rpc_descriptors_end
    .balign 16
nv_rpc_descriptors:
    .incbin \"${DATA}\"
nv_rpc_descriptors_end:
    .byte 0
    .section .note.GNU-stack,\"\",%progbits
")
