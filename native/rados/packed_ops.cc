#include "packed_ops.h"

#include <algorithm>

PackedOperation::PackedOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                                 std::shared_ptr<Connection> connection, size_t arrays)
    : Operation(info[4 + arrays].As<Napi::Function>()),
      names_(unpack_names(info[1], info[2])),
      errno_(reinterpret_cast<int32_t*>(bytes_of(info[3]).data)),
      pool_(std::move(pool)),
      connection_(std::move(connection)) {
  for (size_t i = 3; i < 4 + arrays; i++) {
    if (bytes_of(info[i]).length < names_.size() * (i == 3 ? 4 : 8)) {
      throw Napi::RangeError::New(info.Env(), "an array is shorter than the names");
    }
    hold(info[i]);
    if (i > 3) arrays_.push_back(bytes_of(info[i]).data);
  }
}

PackedOperation::~PackedOperation() {
  for (auto* completion : completions_) completion->release();
}

void PackedOperation::submit() {
  left_ = names_.size() + 1;
  slots_.reserve(names_.size());
  completions_.reserve(names_.size());
  for (size_t i = 0; i < names_.size() && !connection_->closed(); i++) {
    slots_.push_back({this, i});
    auto* completion = librados::Rados::aio_create_completion(&slots_.back(), on_complete);
    completions_.push_back(completion);
    pool_->objects.set_namespace(names_[i].nspace);
    pool_->objects.locator_set_key(names_[i].locator);
    const int code = start(i, pool_->objects, completion);
    if (code < 0) done(i, code, 0);
  }
  one_done();
}

void PackedOperation::on_complete(rados_completion_t, void* arg) {
  auto* slot = static_cast<Slot*>(arg);
  auto* operation = slot->operation;
  auto* completion = operation->completions_[slot->index];
  operation->done(slot->index, completion->get_return_value(), completion->get_version64());
}

void PackedOperation::done(size_t i, int code, uint64_t version) {
  connection_->with_memory([&] {
    errno_[i] = code < 0 ? code : 0;
    if (code >= 0) put(i, version);
  });
  one_done();
}

void PackedOperation::one_done() {
  if (--left_ > 0) return;
  connection_->finish(this);
}

void PackedOperation::answer(Napi::Env env) { call(env, 0); }

StatOperation::StatOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                             std::shared_ptr<Connection> connection)
    : PackedOperation(info, std::move(pool), std::move(connection), 3), states_(names_.size()) {}

int StatOperation::start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) {
  librados::ObjectReadOperation op;
  auto& state = states_[i];
  op.stat2(&state.size, &state.mtime, &state.code);
  return io.aio_operate(names_[i].oid, completion, &op, librados::OPERATION_NOFLAG, nullptr);
}

void StatOperation::put(size_t i, uint64_t version) {
  const auto& state = states_[i];
  static_cast<double*>(arrays_[0])[i] = static_cast<double>(state.size);
  static_cast<int64_t*>(arrays_[1])[i] = state.mtime.tv_sec * 1000000000LL + state.mtime.tv_nsec;
  static_cast<uint64_t*>(arrays_[2])[i] = version;
}

OnlyClonesOperation::OnlyClonesOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                                         std::shared_ptr<Connection> connection)
    : PackedOperation(info, std::move(pool), std::move(connection), 1), states_(names_.size()) {}

int OnlyClonesOperation::start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) {
  librados::ObjectReadOperation op;
  op.list_snaps(&states_[i].snaps, &states_[i].code);
  io.snap_set_read(librados::SNAP_DIR);
  const int code = io.aio_operate(names_[i].oid, completion, &op, librados::OPERATION_NOFLAG, nullptr);
  io.snap_set_read(librados::SNAP_HEAD);
  return code;
}

void OnlyClonesOperation::put(size_t i, uint64_t) {
  const auto& clones = states_[i].snaps.clones;
  const bool head = std::any_of(clones.begin(), clones.end(),
                                [](const auto& clone) { return clone.cloneid == librados::SNAP_HEAD; });
  static_cast<double*>(arrays_[0])[i] = !clones.empty() && !head ? 1 : 0;
}

RemoveOperation::RemoveOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                                 std::shared_ptr<Connection> connection)
    : PackedOperation(info, std::move(pool), std::move(connection), 0) {}

int RemoveOperation::start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) {
  librados::ObjectWriteOperation op;
  op.remove();
  // A full cluster takes removals, but a client keeps them back unless told.
  return io.aio_operate(names_[i].oid, completion, &op, librados::OPERATION_FULL_TRY);
}
