#include "objects_op.h"

#include "results.h"

ObjectsOperation::ObjectsOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                                   std::shared_ptr<Connection> connection)
    : Operation(info[info.Length() - 1]),
      names_(object_names_of(info[1])),
      errno_(names_.size()),
      connection_(std::move(connection)),
      pool_(std::move(pool)),
      slots_(names_.size()) {}

ObjectsOperation::~ObjectsOperation() {
  for (auto& slot : slots_) {
    if (slot.completion != nullptr) slot.completion->release();
  }
}

void ObjectsOperation::submit() {
  left_ = names_.size() + 1;
  // After a close nothing waits for the result: the operation never ends, and is deleted with the connection.
  for (size_t i = 0; i < names_.size() && !connection_->closed(); i++) {
    auto& slot = slots_[i];
    slot.operation = this;
    slot.completion = librados::Rados::aio_create_completion(&slot, on_complete);
    pool_->objects.set_namespace(names_[i].nspace);
    pool_->objects.locator_set_key(names_[i].locator);
    const int code = start(i, pool_->objects, slot.completion);
    if (code < 0) done(i, code);
  }
  one_done();
}

void ObjectsOperation::on_complete(rados_completion_t, void* arg) {
  auto& slot = *static_cast<Slot*>(arg);
  auto& operation = *slot.operation;
  const size_t i = static_cast<size_t>(&slot - operation.slots_.data());
  const int code = slot.completion->get_return_value();
  operation.done(i, code < 0 ? code : operation.complete(i, slot.completion->get_version64()));
}

void ObjectsOperation::done(size_t i, int code) {
  errno_[i] = code;
  one_done();
}

void ObjectsOperation::one_done() {
  if (--left_ == 0) connection_->finish(this);
}

Napi::Value ObjectsOperation::errnos(Napi::Env env) const { return typed_array_of(env, errno_); }
