/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that do nothing at an address of their own. */
#include "qcs_mark.h"

#ifdef QCS_MARKERS
void qcs_mark_begin(void) { __asm__ volatile("" ::: "memory"); }
void qcs_mark_end(void) { __asm__ volatile("" ::: "memory"); }
#else
typedef int qcs_mark_unused; /* a file must hold a declaration */
#endif
