#include "read_op.h"

#include <cerrno>
#include <cstring>

ReadOperation::ReadOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                             std::shared_ptr<Connection> connection)
    : Operation(info[7].As<Napi::Function>()),
      names_(unpack_names(info[1], info[2])),
      pool_(std::move(pool)),
      connection_(std::move(connection)) {
  auto request = info[3].As<Napi::Float64Array>();
  if (request.ElementLength() < 4) throw Napi::RangeError::New(info.Env(), "a request of four numbers");
  parts_ = static_cast<int>(request[0]);
  offset_ = static_cast<uint64_t>(request[1]);
  length_ = static_cast<size_t>(request[2]);
  omap_count_ = static_cast<uint64_t>(request[3]);
  const Bytes slots = bytes_of(info[4]);
  slots_ = slots.data;
  auto offsets = info[5].As<Napi::Float64Array>();
  for (size_t i = 0; i < names_.size(); i++) {
    const double at = i < offsets.ElementLength() ? offsets[i] : -1;
    if ((parts_ & kData) != 0 && !(at >= 0 && at + static_cast<double>(length_) <= static_cast<double>(slots.length))) {
      throw Napi::RangeError::New(info.Env(), "a slot outside of the memory");
    }
    slot_offsets_.push_back(at);
  }
  if (info[6].IsTypedArray()) omap_after_ = string_of(info[6]);
  hold(info[4]);
  objects_.resize(names_.size());
}

ReadOperation::~ReadOperation() {
  for (auto& object : objects_) {
    if (object.completion != nullptr) object.completion->release();
  }
}

void ReadOperation::submit() {
  left_ = names_.size() + 1;
  for (size_t i = 0; i < names_.size() && !connection_->closed(); i++) {
    auto& object = objects_[i];
    object.operation = this;
    librados::ObjectReadOperation op;
    if (parts_ & kStat) op.stat2(&object.size, &object.mtime, &object.stat_code);
    if (parts_ & kData) op.read(offset_, length_, &object.data, &object.data_code);
    if (parts_ & kXattrs) op.getxattrs(&object.xattrs, &object.xattrs_code);
    // Erasure-coded pools refuse omap calls: then the object has none.
    if (parts_ & kOmapHeader) {
      op.omap_get_header(&object.header, &object.header_code);
      op.set_op_flags2(librados::OP_FAILOK);
      // Paging begins after the empty key, so it never brings that one.
      op.omap_get_vals_by_keys({""}, &object.empty_key, &object.empty_key_code);
      op.set_op_flags2(librados::OP_FAILOK);
    }
    if (parts_ & kOmap) {
      op.omap_get_vals2(omap_after_, omap_count_, &object.omap, &object.more, &object.omap_code);
      op.set_op_flags2(librados::OP_FAILOK);
    }
    object.completion = librados::Rados::aio_create_completion(&object, on_complete);
    pool_->objects.set_namespace(names_[i].nspace);
    pool_->objects.locator_set_key(names_[i].locator);
    const int code = pool_->objects.aio_operate(names_[i].oid, object.completion, &op,
                                                librados::OPERATION_NOFLAG, nullptr);
    if (code < 0) {
      object.code = code;
      one_done();
    }
  }
  one_done();
}

void ReadOperation::on_complete(rados_completion_t, void* arg) {
  auto& object = *static_cast<Object*>(arg);
  object.operation->finish_one(object);
  object.operation->one_done();
}

// Runs on librados' thread, so that the copy costs the JavaScript thread nothing.
void ReadOperation::finish_one(Object& object) {
  object.code = object.completion->get_return_value();
  object.version = object.completion->get_version64();
  if (object.code < 0) return;
  object.code = 0;
  object.omap.merge(object.empty_key);
  for (int code : {object.stat_code, object.data_code, object.xattrs_code}) {
    if (code < 0) object.code = code;
  }
  for (int code : {object.header_code, object.empty_key_code, object.omap_code}) {
    if (code < 0 && code != -EOPNOTSUPP) object.code = code;
  }
  if (object.code < 0 || (parts_ & kData) == 0) return;
  object.length = object.data.length();
  if (object.length > length_) {
    object.code = -EIO;
    return;
  }
  const size_t index = static_cast<size_t>(&object - objects_.data());
  auto* slot = slots_ + static_cast<size_t>(slot_offsets_[index]);
  connection_->with_memory([&] {
    object.data.begin().copy(static_cast<unsigned>(object.length), reinterpret_cast<char*>(slot));
  });
  object.data.clear();
}

void ReadOperation::one_done() {
  if (--left_ > 0) return;
  connection_->finish(this);
}

namespace {

Napi::Value buffer_of(Napi::Env env, librados::bufferlist& bytes) {
  auto buffer = Napi::Buffer<char>::New(env, bytes.length());
  if (bytes.length() > 0) bytes.begin().copy(bytes.length(), buffer.Data());
  return buffer;
}

Napi::Value pairs_of(Napi::Env env, std::map<std::string, librados::bufferlist>& pairs) {
  if (pairs.empty()) return env.Null();
  auto flat = Napi::Array::New(env, 2 * pairs.size());
  uint32_t at = 0;
  for (auto& [key, value] : pairs) {
    Napi::HandleScope scope(env);
    flat[at++] = Napi::Buffer<char>::Copy(env, key.data(), key.size());
    flat[at++] = buffer_of(env, value);
  }
  return flat;
}

}  // namespace

Napi::Value ReadOperation::result(Napi::Env env, Object& object) {
  auto fields = Napi::Array::New(env, 9);
  fields[0u] = Napi::Number::New(env, object.code);
  if (object.code < 0) return fields;
  fields[1u] = Napi::Number::New(env, static_cast<double>(object.size));
  const int64_t ns = object.mtime.tv_sec * 1000000000LL + object.mtime.tv_nsec;
  fields[2u] = Napi::BigInt::New(env, ns);
  fields[3u] = Napi::BigInt::New(env, object.version);
  fields[4u] = Napi::Number::New(env, static_cast<double>(object.length));
  fields[5u] = pairs_of(env, object.xattrs);
  fields[6u] = object.header.length() == 0 ? env.Null() : buffer_of(env, object.header);
  fields[7u] = pairs_of(env, object.omap);
  fields[8u] = Napi::Boolean::New(env, object.more);
  return fields;
}

void ReadOperation::answer(Napi::Env env) {
  auto results = Napi::Array::New(env, objects_.size());
  for (size_t i = 0; i < objects_.size(); i++) {
    Napi::HandleScope scope(env);
    results[static_cast<uint32_t>(i)] = result(env, objects_[i]);
  }
  call(env, 0, {results});
}
