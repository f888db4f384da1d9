#pragma once
#include <napi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <rados/librados.hpp>
#include <unordered_set>
#include <vector>

#include "names.h"
#include "task_threads.h"

class Cluster;

// One call from JavaScript. It is made on the JavaScript thread, works on others, and comes back to
// the JavaScript thread once, in deliver() or abandon().
class Operation {
 public:
  explicit Operation(Napi::Function callback) : callback_(Napi::Persistent(callback)) {}
  virtual ~Operation() = default;
  // Calls back into JavaScript with what came out.
  virtual void deliver(Napi::Env env) = 0;
  // Calls back with -ECANCELED: the cluster handle was closed first.
  void abandon(Napi::Env env);

 protected:
  // The callback's first argument is 0 or a negative errno; the others are as each operation says.
  void call(Napi::Env env, int code, std::initializer_list<napi_value> results = {});

 private:
  Napi::FunctionReference callback_;
};

// An open pool. Namespace and locator are set on `objects` before each operation, by the submitting
// thread alone; `listing` sees all namespaces and is never changed.
struct Pool {
  librados::IoCtx objects;
  librados::IoCtx listing;
};

// What outlives the JavaScript handle for as long as librados may still call back.
struct ClusterState {
  librados::Rados rados;
  std::vector<std::shared_ptr<Pool>> pools;
  TaskThreads submitter{1};
  TaskThreads blocking{4};

  std::mutex mutex;
  bool closed = false;
  bool woken = false;
  std::unordered_set<Operation*> under_way;
  std::vector<Operation*> finished;
  Napi::ThreadSafeFunction wake;

  // Takes ownership of an operation that was just made.
  bool enlist(Napi::Env env, Operation* operation);
  // Hands a finished operation to the JavaScript thread; many of them share one crossing.
  void finish(Operation* operation);
  // Calls back for all that have finished. On the JavaScript thread.
  void deliver(Napi::Env env);
};

// A connection to one Ceph cluster.
class Cluster : public Napi::ObjectWrap<Cluster> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Cluster(const Napi::CallbackInfo& info);
  ~Cluster() override;

 private:
  Napi::Value connect(const Napi::CallbackInfo& info);
  Napi::Value pools(const Napi::CallbackInfo& info);
  Napi::Value open_pool(const Napi::CallbackInfo& info);
  Napi::Value close_pool(const Napi::CallbackInfo& info);
  Napi::Value list(const Napi::CallbackInfo& info);
  Napi::Value stat(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value remove(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<Pool> pool(const Napi::Value& number);
  // Runs `task` where it may block; an operation that cannot be started any more is abandoned.
  void start(Operation* operation, TaskThreads& threads, std::function<void()> task);
  void shut_down(Napi::Env env, bool deliver_rest);
  static void at_exit(void* self);

  std::shared_ptr<ClusterState> state_;
  bool shut_ = false;
};
