#include "exit_guard.h"

#include <stdlib.h>
#include <unistd.h>

#include <atomic>

namespace {

std::atomic<int> connections{0};

void leave(int status, void*) {
  if (connections > 0) _exit(status);
}

}  // namespace

namespace exit_guard {

// Handlers run last in, first out, in one order with static destructors.
void connection_opened() {
  connections++;
  on_exit(leave, nullptr);
}

void connection_made() { on_exit(leave, nullptr); }

void connection_ended() { connections--; }

}  // namespace exit_guard
