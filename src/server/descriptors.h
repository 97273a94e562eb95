// Room for the process's descriptors, made while it has one thread.
#pragma once

#include <cstdint>

namespace lattice::server {

// Linux doubles the table of a process's descriptors when one is opened beyond its end. With
// several threads it waits meanwhile for all processors to have seen the new one: six to seventeen
// milliseconds in which accept() keeps everybody waiting, at 256, 512, ... connections. The table
// never shrinks. As far as the process's limit allows; nothing else depends on it.
void make_room_for_descriptors(int64_t count);

}  // namespace lattice::server
