#pragma once

// Makes the process leave without running static destructors while librados has threads: they would use
// what the destructors take apart, and crash. exit() does not wait for an open connection, nor need it.
namespace exit_guard {
void connection_opened();
// librados has made more statics by now, which are taken apart before those that it had at first.
void connection_made();
void connection_ended();
}  // namespace exit_guard
