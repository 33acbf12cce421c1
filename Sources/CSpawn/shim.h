#pragma once
#include <spawn.h>

// glibc (2.34) declares this for _GNU_SOURCE only, which Swift's view of the C library does not define.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
