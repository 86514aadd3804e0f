/* Start-up of a bare RV32 core in machine mode, and its trap entry. */
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
    la t0, qcs_bss_start
    la t1, qcs_bss_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  call main
3:  j 3b
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
