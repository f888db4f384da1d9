#include "list_op.h"

#include <cerrno>

static uint32_t number_of(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }

ListOperation::ListOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool)
    : Operation(info[2]), pool_(std::move(pool)) {
  auto request = info[1].As<Napi::Object>();
  slice_ = number_of(request.Get("slice"));
  slices_ = number_of(request.Get("slices"));
  count_ = number_of(request.Get("count"));
  cursor_ = request.Get("cursor").As<Napi::String>();
}

void ListOperation::run(const std::shared_ptr<Connection>& connection) {
  code_ = list();
  connection->finish(this);
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

Napi::Value ListOperation::result(Napi::Env env) {
  size_t length = 0;
  for (const auto& item : items_) length += item.nspace.size() + item.locator.size() + item.oid.size();
  auto bytes = Napi::Uint8Array::New(env, length);
  auto offsets = Napi::Uint32Array::New(env, 3 * items_.size() + 1);
  uint8_t* to = bytes.Data();
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
  auto names = Napi::Object::New(env);
  names["count"] = static_cast<double>(items_.size());
  names["bytes"] = bytes;
  names["offsets"] = offsets;
  auto page = Napi::Object::New(env);
  page["names"] = names;
  page["next"] = cursor_;
  return page;
}
