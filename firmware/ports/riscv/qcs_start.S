/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up of a bare RV32 core in machine mode, its trap entry, and its table of interrupts. */
    .section .vectors, "ax"
    .globl qcs_start
    .type qcs_start, @function
qcs_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, qcs_stack_top
    la t0, qcs_trap
    csrw mtvec, t0
    la t0, qcs_data_start
    la t1, qcs_data_end
    la t2, qcs_data_from
1:  bgeu t0, t1, 2f
    lw t3, 0(t2)
    sw t3, 0(t0)
    addi t0, t0, 4
    addi t2, t2, 4
    j 1b
2:  la t0, qcs_bss_start
    la t1, qcs_bss_end
3:  bgeu t0, t1, 4f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 3b
4:  call main
5:  j 5b
    .size qcs_start, . - qcs_start

    .align 2
    .type qcs_trap, @function
qcs_trap:
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    mv a3, ra
    mv a4, sp
    la sp, qcs_stack_top
    j qcs_trap_report
    .size qcs_trap, . - qcs_trap

/* For mtvec's vectored mode: exceptions enter at 0, the machine's external interrupt at 4 * 11. */
    .section .text.qcs_vectors, "ax"
    .option push
    .option norvc
    .balign 256
    .globl qcs_vectors
qcs_vectors:
    .rept 11
    j qcs_trap
    .endr
    j qcs_external_interrupt
    .option pop
