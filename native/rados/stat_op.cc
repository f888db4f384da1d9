#include "stat_op.h"

#include <algorithm>

#include "results.h"

StatOperation::StatOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                             std::shared_ptr<Connection> connection)
    : ObjectsOperation(info, std::move(pool), std::move(connection)), states_(names_.size()) {}

int StatOperation::start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) {
  librados::ObjectReadOperation op;
  auto& state = states_[i];
  op.stat2(&state.size, &state.mtime, &state.code);
  return io.aio_operate(names_[i].oid, completion, &op, librados::OPERATION_NOFLAG, nullptr);
}

int StatOperation::complete(size_t i, uint64_t version) {
  states_[i].version = version;
  return 0;
}

Napi::Value StatOperation::result(Napi::Env env) {
  auto size = Napi::Float64Array::New(env, states_.size());
  auto mtime = Napi::BigInt64Array::New(env, states_.size());
  auto version = Napi::BigUint64Array::New(env, states_.size());
  for (size_t i = 0; i < states_.size(); i++) {
    size[i] = static_cast<double>(states_[i].size);
    mtime[i] = nanoseconds_of(states_[i].mtime);
    version[i] = states_[i].version;
  }
  auto batch = Napi::Object::New(env);
  batch["errno"] = errnos(env);
  batch["size"] = size;
  batch["mtime"] = mtime;
  batch["version"] = version;
  return batch;
}

CountOnlyClonesOperation::CountOnlyClonesOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                                                   std::shared_ptr<Connection> connection)
    : ObjectsOperation(info, std::move(pool), std::move(connection)), snaps_(names_.size()) {}

int CountOnlyClonesOperation::start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) {
  librados::ObjectReadOperation op;
  op.list_snaps(&snaps_[i].set, &snaps_[i].code);
  io.snap_set_read(librados::SNAP_DIR);
  const int code = io.aio_operate(names_[i].oid, completion, &op, librados::OPERATION_NOFLAG, nullptr);
  io.snap_set_read(librados::SNAP_HEAD);
  return code;
}

int CountOnlyClonesOperation::complete(size_t i, uint64_t) {
  const auto& clones = snaps_[i].set.clones;
  const bool head = std::any_of(clones.begin(), clones.end(),
                                [](const auto& clone) { return clone.cloneid == librados::SNAP_HEAD; });
  if (!clones.empty() && !head) only_clones_++;
  return 0;
}

Napi::Value CountOnlyClonesOperation::result(Napi::Env env) { return Napi::Number::New(env, only_clones_); }
