/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a model's tables: one per family of instruction sets, chosen by the compiler's
 * feature macros; exported models hold all of them, the compiler takes one. */
#ifndef QCS_LAYOUT_H
#define QCS_LAYOUT_H

#define QCS_LAYOUT_PLAIN 0 /* any processor: qcs_int8_dense.c, the specification */
#define QCS_LAYOUT_DSP 1   /* Armv7E-M / Armv8-M with DSP: qcs_int8_dsp.c */
#define QCS_LAYOUT_PAIR 2  /* Armv6-M, Armv7-M, RV32 with M: qcs_int8_pair.c */
#define QCS_LAYOUT_MVE 3   /* Armv8.1-M with MVE: qcs_int8_mve.c */

#if defined(QCS_PLAIN) /* size first */
#define QCS_LAYOUT QCS_LAYOUT_PLAIN
#elif !defined(__GNUC__)
#define QCS_LAYOUT QCS_LAYOUT_PLAIN
#elif defined(__thumb__) && defined(__ARM_FEATURE_MVE) && __ARM_FEATURE_MVE
#define QCS_LAYOUT QCS_LAYOUT_MVE
#elif defined(__thumb__) && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define QCS_LAYOUT QCS_LAYOUT_DSP
#elif defined(__thumb__) && defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define QCS_LAYOUT QCS_LAYOUT_PAIR
#elif defined(__riscv_mul) && __riscv_xlen == 32
#define QCS_LAYOUT QCS_LAYOUT_PAIR
#else
#define QCS_LAYOUT QCS_LAYOUT_PLAIN
#endif

#endif
