#pragma once
#include <ctime>

#include "connection.h"
#include "names.h"

// Operations on many objects whose results are a few numbers each, put straight into typed arrays. The
// objects are all under way together; librados' own throttle bounds them.
class PackedOperation : public Operation {
 public:
  PackedOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection,
                  size_t arrays);
  ~PackedOperation() override;
  void submit();
  void answer(Napi::Env env) override;

 protected:
  // Starts the operation on object `i`; returns a negative errno when it could not be started.
  virtual int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) = 0;
  // Puts what came out into the typed arrays.
  virtual void put(size_t i, uint64_t version) = 0;

  std::vector<ObjectName> names_;
  int32_t* errno_;
  // The typed arrays after errno.
  std::vector<void*> arrays_;

 private:
  struct Slot {
    PackedOperation* operation;
    size_t index;
  };
  static void on_complete(rados_completion_t completion, void* slot);
  void done(size_t i, int code, uint64_t version);
  void one_done();

  std::shared_ptr<Pool> pool_;
  std::shared_ptr<Connection> connection_;
  std::vector<Slot> slots_;
  std::vector<librados::AioCompletion*> completions_;
  std::atomic<size_t> left_{0};
};

// stat(pool, names, offsets, errno, size, mtime, version, (code) => …)
class StatOperation : public PackedOperation {
 public:
  StatOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);

 private:
  int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) override;
  void put(size_t i, uint64_t version) override;

  struct State {
    uint64_t size;
    timespec mtime;
    int code;
  };
  std::vector<State> states_;
};

// only_clones(pool, names, offsets, errno, only, (code) => …): 1 for each object that is deleted, and of which snapshots
// keep a state.
class OnlyClonesOperation : public PackedOperation {
 public:
  OnlyClonesOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);

 private:
  int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) override;
  void put(size_t i, uint64_t version) override;

  struct State {
    librados::snap_set_t snaps;
    int code;
  };
  std::vector<State> states_;
};

// remove(pool, names, offsets, errno, (code) => …)
class RemoveOperation : public PackedOperation {
 public:
  RemoveOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);

 private:
  int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) override;
  void put(size_t, uint64_t) override {}
};
