/* SPDX-License-Identifier: Apache-2.0 */
/* Markers around each encode, for counting instructions from outside (a TCG plugin, a debugger).
 * Off unless QCS_MARKERS is defined. */
#ifndef QCS_MARK_H
#define QCS_MARK_H

#ifdef QCS_MARKERS
void qcs_mark_begin(void);
void qcs_mark_end(void);
#define QCS_MARK_BEGIN() qcs_mark_begin()
#define QCS_MARK_END() qcs_mark_end()
#else
#define QCS_MARK_BEGIN() ((void)0)
#define QCS_MARK_END() ((void)0)
#endif

#endif
