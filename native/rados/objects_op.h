#pragma once
#include <atomic>

#include "arguments.h"
#include "connection.h"

// One asynchronous operation of librados on each of many objects of a pool. All are under way together; librados' own
// throttle bounds them. Done when the last one is.
class ObjectsOperation : public Operation {
 public:
  // `info` is (pool, PackedNames, …, callback), as src/sources/ceph/librados.ts has it.
  ObjectsOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);
  ~ObjectsOperation() override;
  // Starts all of them. On the submitter thread; blocks while librados' throttle is full.
  void submit();

 protected:
  // Starts the operation on object `i`, or returns a negative errno. On the submitter thread; namespace and locator of
  // `io` are those of the object.
  virtual int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) = 0;
  // Takes what came out of an operation that succeeded, and returns 0 or a negative errno. On a thread of librados;
  // never twice for one object, and for several objects at once.
  virtual int complete(size_t i, uint64_t version) = 0;
  // Where that errno goes, or the one of librados: an Int32Array with 0 for each operation that succeeded.
  Napi::Value errnos(Napi::Env env) const;
  Napi::Value result(Napi::Env env) override { return errnos(env); }

  const std::vector<ObjectName> names_;
  std::vector<int32_t> errno_;
  const std::shared_ptr<Connection> connection_;

 private:
  // What librados hands back when an operation on one object is done.
  struct Slot {
    ObjectsOperation* operation = nullptr;
    librados::AioCompletion* completion = nullptr;
  };
  static void on_complete(rados_completion_t completion, void* slot);
  void done(size_t i, int code);
  void one_done();

  const std::shared_ptr<Pool> pool_;
  std::vector<Slot> slots_;
  // Operations that are not done, and one for submit() itself.
  std::atomic<size_t> left_{0};
};
