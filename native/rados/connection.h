#pragma once
#include <napi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <rados/librados.hpp>
#include <shared_mutex>
#include <unordered_set>
#include <vector>

#include "operation.h"
#include "task_threads.h"

// An open pool. `listing` sees all namespaces and never changes. Namespace and locator are set on `objects` before each
// operation, by the submitter thread alone.
struct Pool {
  librados::IoCtx objects;
  librados::IoCtx listing;
};

// A connection to one Ceph cluster, and the operations that are under way on it.
//
// Threads:
// - The JavaScript thread makes operations, starts them, and calls back. It never waits for the cluster.
// - `submitter` submits asynchronous operations; librados' throttle may block it.
// - `blocking` makes calls that take as long as the cluster does: connecting, listing, asking the monitors.
// - Threads of librados receive what asynchronous operations came to, and copy data to the memory of JavaScript.
// - A thread that close() starts waits for all of these, shuts librados down and deletes what is left.
//
// Ownership: the Cluster object of JavaScript, each thread that may be inside librados, and each operation hold the
// connection, so it outlives the Cluster for as long as librados may call back. Operations that were started belong to
// the connection (operation.h).
//
// At exit: close() without callbacks, from the environment's hook. It waits a second at most, and exit_guard.h sees to
// threads that are inside librados even then.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // For the JavaScript thread:

  // Makes the way back to JavaScript. Called once, first.
  void open(Napi::Env env);
  // Takes ownership of a new operation and posts `task`, which does its work, to `threads`. After close() the operation
  // calls back with -ECANCELED at once.
  void start(Napi::Env env, Operation* operation, TaskThreads& threads, std::function<void()> task);
  // Ends the connection. Waits a second at most; threads that are inside librados then end later, on their own. With
  // `call_back`, operations under way call back with -ECANCELED first.
  void close(Napi::Env env, bool call_back);

  // For any thread:

  // Hands a finished operation to the JavaScript thread. Many of them share one crossing.
  void finish(Operation* operation);
  bool closed() const { return closed_; }
  // Runs `touch`, which reads or writes memory of JavaScript. After close() that memory may be freed: then returns
  // false without running it.
  template <typename Touch>
  bool with_memory(const Touch& touch) {
    if (closed_) return false;
    std::shared_lock<std::shared_mutex> lock(memory_);
    if (closed_) return false;
    touch();
    return true;
  }
  // nullptr when there is no such pool, or after close().
  std::shared_ptr<Pool> pool(uint32_t number);
  uint32_t add_pool(std::shared_ptr<Pool> pool);
  void remove_pool(uint32_t number);

  librados::Rados rados;
  // One thread, because namespace and locator are set on the pool.
  TaskThreads submitter{1};
  TaskThreads blocking{4};

 private:
  void deliver(Napi::Env env);
  void shut_down(const std::unordered_set<Operation*>& abandoned);

  std::atomic<bool> closed_{false};
  // Shared by the threads that touch memory of JavaScript; close() takes it alone to wait for them.
  std::shared_mutex memory_;

  // Guards what follows.
  std::mutex mutex_;
  // Whether a call of deliver() is on its way.
  bool woken_ = false;
  std::vector<std::shared_ptr<Pool>> pools_;
  std::unordered_set<Operation*> under_way_;
  std::vector<Operation*> finished_;
  // Only close() releases it.
  Napi::ThreadSafeFunction wake_;
};
