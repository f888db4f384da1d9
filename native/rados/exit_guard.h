#pragma once

// Ends the process without static destructors while a connection is open: threads of librados would use what the
// destructors take apart, and crash. So exit() need not wait for an open connection.
//
// Handlers of on_exit() and static destructors run in one order, last registered first. So one handler is registered
// before librados makes its first statics for a connection, and one after it has made the rest.
namespace exit_guard {
// Before anything of librados is used.
void connection_opened();
// When librados has connected, or failed to.
void connection_made();
// When librados has shut down, and its threads have ended.
void connection_ended();
}  // namespace exit_guard
