#include "list_op.h"

#include <cerrno>

ListOperation::ListOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                             std::shared_ptr<Connection> connection)
    : Operation(info[5].As<Napi::Function>()),
      pool_(std::move(pool)),
      connection_(std::move(connection)),
      slice_(info[1].As<Napi::Number>().Uint32Value()),
      slices_(info[2].As<Napi::Number>().Uint32Value()),
      count_(info[4].As<Napi::Number>().Uint32Value()),
      cursor_(info[3].As<Napi::String>()) {}

void ListOperation::run() {
  code_ = list();
  connection_->finish(this);
}

int ListOperation::list() {
  auto& io = pool_->listing;
  librados::ObjectCursor start, finish, next;
  io.object_list_slice(io.object_list_begin(), io.object_list_end(), slice_, slices_, &start, &finish);
  if (!cursor_.empty() && !start.from_str(cursor_)) return -EINVAL;
  const int listed = io.object_list(start, finish, count_, {}, &items_, &next);
  if (listed < 0) return listed;
  cursor_ = next < finish ? next.to_str() : "";
  return 0;
}

void ListOperation::answer(Napi::Env env) {
  if (code_ < 0) return call(env, code_);
  size_t length = 0;
  for (const auto& item : items_) length += item.nspace.size() + item.locator.size() + item.oid.size();
  auto names = Napi::Uint8Array::New(env, length);
  auto offsets = Napi::Uint32Array::New(env, 3 * items_.size() + 1);
  uint8_t* to = names.Data();
  uint32_t* offset = offsets.Data();
  uint32_t at = 0;
  *offset++ = 0;
  for (const auto& item : items_) {
    for (const auto* part : {&item.nspace, &item.locator, &item.oid}) {
      std::copy(part->begin(), part->end(), to + at);
      at += static_cast<uint32_t>(part->size());
      *offset++ = at;
    }
  }
  call(env, 0, {names, offsets, Napi::String::New(env, cursor_)});
}
