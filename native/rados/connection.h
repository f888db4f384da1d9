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

// An open pool. Namespace and locator are set on `objects` before each operation, by the submitting
// thread alone; `listing` sees all namespaces and is never changed.
struct Pool {
  librados::IoCtx objects;
  librados::IoCtx listing;
};

// What a cluster handle of JavaScript stands for. librados' threads and ours hold it as well, so it
// outlives the handle for as long as any of them may still be inside librados.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // For JavaScript's thread.

  // Makes the way back to JavaScript. Called once, before anything else.
  void open(Napi::Env env);
  // Takes an operation that was just made and runs `task` for it on one of `threads`. After close() it
  // calls back with -ECANCELED at once.
  void start(Napi::Env env, Operation* operation, TaskThreads& threads, std::function<void()> task);
  // Ends the connection, within about a second whatever the cluster does: threads that are still inside
  // librados then end on their own, later. With `call_back`, what is under way gets -ECANCELED first.
  void close(Napi::Env env, bool call_back);

  // For any thread.

  // Hands a finished operation to the JavaScript thread; many of them share one crossing.
  void finish(Operation* operation);
  bool closed() const { return closed_; }
  // Runs `touch`, which reads or writes memory of JavaScript. Returns false, without running it, when
  // the handle was closed: that memory may be gone.
  template <typename Touch>
  bool with_memory(const Touch& touch) {
    if (closed_) return false;
    std::shared_lock<std::shared_mutex> lock(memory_);
    if (closed_) return false;
    touch();
    return true;
  }
  // nullptr when there is no such pool, or the handle was closed.
  std::shared_ptr<Pool> pool(uint32_t number);
  uint32_t add_pool(std::shared_ptr<Pool> pool);
  void remove_pool(uint32_t number);

  librados::Rados rados;
  // One thread, so that namespace and locator of a pool are set by one at a time.
  TaskThreads submitter{1};
  TaskThreads blocking{4};

 private:
  void deliver(Napi::Env env);
  void shut_down(const std::unordered_set<Operation*>& abandoned);

  std::atomic<bool> closed_{false};
  std::shared_mutex memory_;

  std::mutex mutex_;
  bool woken_ = false;
  std::vector<std::shared_ptr<Pool>> pools_;
  std::unordered_set<Operation*> under_way_;
  std::vector<Operation*> finished_;
  Napi::ThreadSafeFunction wake_;
};
