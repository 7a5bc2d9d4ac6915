# Writes an assembler file that carries DATA as nv_rpc_descriptors, and its length as nv_rpc_descriptors_size.
file(
  WRITE ${OUT}
  "    .section .rodata
    .global nv_rpc_descriptors
    .global nv_rpc_descriptors_size
    .balign 16
nv_rpc_descriptors:
    .incbin \"${DATA}\"
nv_rpc_descriptors_end:
    .balign 8
nv_rpc_descriptors_size:
    .quad nv_rpc_descriptors_end - nv_rpc_descriptors
    .section .note.GNU-stack,\"\",%progbits
")
