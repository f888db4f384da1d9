#include "write_op.h"

namespace {

std::vector<Bytes> all_bytes(const Napi::Value& list) {
  std::vector<Bytes> all;
  if (!list.IsArray()) return all;
  auto array = list.As<Napi::Array>();
  const uint32_t length = array.Length();
  all.reserve(length);
  for (uint32_t i = 0; i < length; i++) {
    Napi::HandleScope scope(list.Env());
    all.push_back(bytes_of(array.Get(i)));
  }
  return all;
}

librados::bufferlist copy_of(const Bytes& bytes) {
  librados::bufferlist list;
  list.append(reinterpret_cast<const char*>(bytes.data), static_cast<unsigned>(bytes.length));
  return list;
}

std::string text_of(const Bytes& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data), bytes.length);
}

}  // namespace

WriteOperation::WriteOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                               std::shared_ptr<Connection> connection)
    : Operation(info[5].As<Napi::Function>()),
      names_(unpack_names(info[1], info[2])),
      pool_(std::move(pool)),
      connection_(std::move(connection)),
      errno_(reinterpret_cast<int32_t*>(bytes_of(info[4]).data)),
      objects_(names_.size()) {
  // The memory of all pieces, and of errno.
  hold(info[3]);
  hold(info[4]);
  auto given = info[3].As<Napi::Array>();
  if (given.Length() != names_.size() || bytes_of(info[4]).length < 4 * names_.size()) {
    throw Napi::RangeError::New(info.Env(), "names, objects and errno differ in length");
  }
  for (uint32_t i = 0; i < given.Length(); i++) {
    Napi::HandleScope scope(info.Env());
    auto fields = given.Get(i).As<Napi::Array>();
    auto& object = objects_[i];
    object.operation = this;
    object.replace = fields.Get(0u).As<Napi::Number>().Int32Value() == 1;
    object.offset = static_cast<uint64_t>(fields.Get(1u).As<Napi::Number>().DoubleValue());
    object.pieces = all_bytes(fields.Get(2u));
    object.xattrs = all_bytes(fields.Get(3u));
    object.has_header = fields.Get(4u).IsTypedArray();
    if (object.has_header) object.header = bytes_of(fields.Get(4u));
    object.omap = all_bytes(fields.Get(5u));
    bool lossless = false;
    const int64_t ns = fields.Get(6u).As<Napi::BigInt>().Int64Value(&lossless);
    object.mtime.tv_sec = ns / 1000000000;
    object.mtime.tv_nsec = ns % 1000000000;
    if (object.mtime.tv_nsec < 0) {
      object.mtime.tv_sec -= 1;
      object.mtime.tv_nsec += 1000000000;
    }
  }
}

WriteOperation::~WriteOperation() {
  for (auto& object : objects_) {
    if (object.completion != nullptr) object.completion->release();
  }
}

void WriteOperation::fill(Object& object, librados::ObjectWriteOperation& op) {
  librados::bufferlist data;
  for (const auto& piece : object.pieces) {
    data.append(reinterpret_cast<const char*>(piece.data), static_cast<unsigned>(piece.length));
  }
  if (object.replace) {
    // Removing it first takes away the xattrs and the omap that it had; in one operation, so that nobody
    // ever sees it gone.
    op.remove();
    op.set_op_flags2(librados::OP_FAILOK);
    op.create(false);
  }
  if (data.length() > 0) op.write(object.offset, data);
  for (size_t i = 0; i + 1 < object.xattrs.size(); i += 2) {
    op.setxattr(text_of(object.xattrs[i]).c_str(), copy_of(object.xattrs[i + 1]));
  }
  if (object.has_header && object.header.length > 0) op.omap_set_header(copy_of(object.header));
  if (!object.omap.empty()) {
    std::map<std::string, librados::bufferlist> pairs;
    for (size_t i = 0; i + 1 < object.omap.size(); i += 2) {
      pairs[text_of(object.omap[i])] = copy_of(object.omap[i + 1]);
    }
    op.omap_set(pairs);
  }
  op.mtime2(&object.mtime);
}

void WriteOperation::submit() {
  left_ = names_.size() + 1;
  for (size_t i = 0; i < names_.size(); i++) {
    auto& object = objects_[i];
    librados::ObjectWriteOperation op;
    if (!connection_->with_memory([&] { fill(object, op); })) return;
    object.completion = librados::Rados::aio_create_completion(&object, on_complete);
    pool_->objects.set_namespace(names_[i].nspace);
    pool_->objects.locator_set_key(names_[i].locator);
    // A full cluster answers ENOSPC or EDQUOT instead of keeping the write until there is room.
    const int code =
        pool_->objects.aio_operate(names_[i].oid, object.completion, &op, librados::OPERATION_FULL_TRY);
    if (code < 0) {
      done(i, code);
    }
  }
  one_done();
}

void WriteOperation::on_complete(rados_completion_t, void* arg) {
  auto& object = *static_cast<Object*>(arg);
  auto* operation = object.operation;
  operation->done(static_cast<size_t>(&object - operation->objects_.data()), object.completion->get_return_value());
}

void WriteOperation::done(size_t i, int code) {
  connection_->with_memory([&] { errno_[i] = code < 0 ? code : 0; });
  one_done();
}

void WriteOperation::one_done() {
  if (--left_ > 0) return;
  connection_->finish(this);
}

void WriteOperation::answer(Napi::Env env) { call(env, 0); }
