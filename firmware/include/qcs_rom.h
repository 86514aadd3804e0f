/* SPDX-License-Identifier: Apache-2.0 */
/* Constant tables in flash. Everywhere but on AVR flash is ordinary memory and these are plain
 * reads.
 *
 * On AVR `const` data would be copied to RAM, so a table is declared `static const int8_t t[3]
 * QCS_ROM = {...}` and read through the accessors below. A pointer to it is an ordinary 16-bit
 * pointer: tables must lie in the first 64 KB. */
#ifndef QCS_ROM_H
#define QCS_ROM_H

#include <stdint.h>

#ifdef __AVR__

#include <avr/pgmspace.h>
#define QCS_ROM PROGMEM

static inline int8_t qcs_rom_i8(const int8_t *p) { return (int8_t)pgm_read_byte(p); }
static inline uint8_t qcs_rom_u8(const uint8_t *p) { return pgm_read_byte(p); }
static inline int16_t qcs_rom_i16(const int16_t *p) { return (int16_t)pgm_read_word(p); }
static inline uint16_t qcs_rom_u16(const uint16_t *p) { return pgm_read_word(p); }
static inline int32_t qcs_rom_i32(const int32_t *p) { return (int32_t)pgm_read_dword(p); }
static inline uint32_t qcs_rom_u32(const uint32_t *p) { return pgm_read_dword(p); }

#else

#define QCS_ROM

static inline int8_t qcs_rom_i8(const int8_t *p) { return *p; }
static inline uint8_t qcs_rom_u8(const uint8_t *p) { return *p; }
static inline int16_t qcs_rom_i16(const int16_t *p) { return *p; }
static inline uint16_t qcs_rom_u16(const uint16_t *p) { return *p; }
static inline int32_t qcs_rom_i32(const int32_t *p) { return *p; }
static inline uint32_t qcs_rom_u32(const uint32_t *p) { return *p; }

#endif
#endif
