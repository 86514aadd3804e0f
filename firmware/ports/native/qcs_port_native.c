/* SPDX-License-Identifier: Apache-2.0 */
/* Port `native`: the firmware as a host process behind a pseudo-terminal.
 * Started with a path it opens that terminal; without, it makes one and prints its path. */
#define _GNU_SOURCE /* posix_openpt, cfmakeraw */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "qcs_port.h"

static int line = -1;
static char arguments_path[256];

/* glibc hands the program's arguments to constructors; main takes none. */
__attribute__((constructor)) static void keep_argument(int argc, char **argv) {
  if (argc > 1)
    (void)snprintf(arguments_path, sizeof arguments_path, "%s", argv[1]);
}

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void set_raw(int fd) {
  struct termios settings;
  if (tcgetattr(fd, &settings) != 0)
    fail("tcgetattr");
  cfmakeraw(&settings);
  if (tcsetattr(fd, TCSANOW, &settings) != 0)
    fail("tcsetattr");
}

static int make_terminal(void) {
  const int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
    fail("posix_openpt");
  const char *const name = ptsname(fd);
  /* Our own handle on the other end: without it, reads fail whenever no host has it open. */
  const int other = name ? open(name, O_RDWR | O_NOCTTY) : -1;
  if (other < 0)
    fail("ptsname");
  set_raw(other);
  printf("%s\n", name);
  (void)fflush(stdout);
  return fd;
}

/* Calls of read_byte that need not ask the kernel: a busy agent looks at an empty line only now and
 * then. */
static unsigned skip;
enum { SKIP = 64 };

static int read_byte(void *context) {
  static uint8_t buffer[4096];
  static ssize_t held, next;
  (void)context;
  if (next == held) {
    if (skip != 0) {
      skip--;
      return -1;
    }
    next = 0;
    held = read(line, buffer, sizeof buffer);
    if (held == 0 || (held < 0 && errno != EAGAIN && errno != EINTR))
      exit(0); /* the terminal we were given is gone */
    if (held < 0) {
      held = 0;
      skip = SKIP;
    }
  }
  return next < held ? buffer[next++] : -1;
}

static uint16_t write_bytes(void *context, const uint8_t bytes[], uint16_t n) {
  (void)context;
  const ssize_t sent = write(line, bytes, n);
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    exit(0);
  if (sent <= 0) { /* the host reads slowly: wait a little rather than spin */
    struct pollfd ready = {.fd = line, .events = POLLOUT, .revents = 0};
    (void)poll(&ready, 1, 1);
  }
  return sent > 0 ? (uint16_t)sent : 0;
}

static uint32_t nanoseconds(void *context) {
  struct timespec now;
  (void)context;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec);
}

/* A pseudo-terminal carries any rate. */
static bool set_baud(void *context, uint32_t baud, bool now) {
  (void)context;
  (void)now;
  return baud >= 300 && baud <= 12000000;
}

const qcs_agent_io_t *qcs_port_start(void) {
  static const qcs_agent_io_t io = {
      .context = NULL,
      .read = read_byte,
      .write = write_bytes,
      .ticks = nanoseconds,
      .set_baud = set_baud,
      .baud = 115200,
      .tick_source = QCS_TICKS_TIMER,
      .tick_hz = 1000000000U,
  };
  if (arguments_path[0] == '\0') {
    line = make_terminal();
  } else {
    line = open(arguments_path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (line < 0)
      fail(arguments_path);
    set_raw(line);
  }
  return &io;
}

void qcs_port_idle(void) {
  struct pollfd ready = {.fd = line, .events = POLLIN, .revents = 0};
  (void)poll(&ready, 1, -1);
  skip = 0;
}
