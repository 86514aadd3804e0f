/* SPDX-License-Identifier: Apache-2.0 */
/* What qcs_kernel_check.c asks of an emulator: semihosting, in each family's own words. */
#ifndef QCS_CHECK_PORT_H
#define QCS_CHECK_PORT_H

/* Before anything else. */
void qcs_check_start(void);

/* Print a string on the host. */
void qcs_check_print(const char text[]);

/* End the emulator; `failed` is not 0 after a fault. */
void qcs_check_exit(int failed);

#endif
