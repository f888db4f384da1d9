#pragma once
#include <ctime>

#include "objects_op.h"

// Size, time and version of each object.
class StatOperation : public ObjectsOperation {
 public:
  // `info` is (pool, PackedNames, callback).
  StatOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);

 protected:
  int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) override;
  int complete(size_t i, uint64_t version) override;
  // A StatBatch.
  Napi::Value result(Napi::Env env) override;

 private:
  struct State {
    uint64_t size = 0;
    timespec mtime{};
    int code = 0;
    uint64_t version = 0;
  };
  std::vector<State> states_;
};

// How many of the objects are deleted, while snapshots keep a state of them.
class CountOnlyClonesOperation : public ObjectsOperation {
 public:
  // `info` is (pool, PackedNames, callback).
  CountOnlyClonesOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                           std::shared_ptr<Connection> connection);

 protected:
  int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) override;
  int complete(size_t i, uint64_t version) override;
  // A number.
  Napi::Value result(Napi::Env env) override;

 private:
  struct Snaps {
    librados::snap_set_t set;
    int code = 0;
  };
  std::vector<Snaps> snaps_;
  std::atomic<uint32_t> only_clones_{0};
};
