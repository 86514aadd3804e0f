/* SPDX-License-Identifier: Apache-2.0 */
/* RP2040's second stage: 256 bytes that the boot ROM copies to RAM, checks and runs (datasheet,
 * 2.8.1.3). It lets the flash be read in place by the plain command 03h, which every flash knows,
 * and starts the firmware behind it. The last word is the CRC-32 (0x04C11DB7, from all ones, not
 * reflected) of the 252 bytes before it; a test holds it. */
    .syntax unified
    .cpu cortex-m0plus
    .thumb
    .section .boot2, "ax"
    .balign 256
    ldr r3, =0x18000000     /* SSI (4.10) */
    movs r0, #0
    str r0, [r3, #0x08]     /* SSIENR: off while it is set up */
    movs r1, #2
    str r1, [r3, #0x14]     /* BAUDR: half of the core's 12 MHz */
    ldr r1, =0x001F0300     /* CTRLR0: 32 bits per frame, EEPROM read, one data line */
    str r1, [r3, #0x00]
    str r0, [r3, #0x04]     /* CTRLR1: one frame per read */
    ldr r1, =0x03000218     /* SPI_CTRLR0: command 03h of 8 bits, address of 24 */
    ldr r2, =0x180000F4
    str r1, [r2]
    movs r1, #1
    str r1, [r3, #0x08]
    ldr r0, =0x10000100     /* the vector table */
    ldr r1, =0xE000ED08     /* VTOR */
    str r0, [r1]
    ldr r1, [r0, #0]
    msr msp, r1
    ldr r1, [r0, #4]
    bx r1
    .ltorg
    .org 252
    .word 0x4E5DC274
