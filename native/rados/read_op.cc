#include "read_op.h"

#include <cerrno>

#include "results.h"

ReadOperation::ReadOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                             std::shared_ptr<Connection> connection)
    : ObjectsOperation(info, std::move(pool), std::move(connection)), objects_(names_.size()) {
  auto request = info[2].As<Napi::Object>();
  attributes_ = request.Get("attributes").As<Napi::Boolean>();
  const Napi::Value data = request.Get("data");
  if (data.IsObject()) request_data(data.As<Napi::Object>());
  const Napi::Value omap = request.Get("omap");
  if (omap.IsObject()) {
    auto page = omap.As<Napi::Object>();
    omap_ = OmapRequest{string_of(bytes_of(page.Get("after"))), page.Get("count").As<Napi::Number>().Uint32Value()};
  }
}

void ReadOperation::request_data(const Napi::Object& data) {
  const auto memory = bytes_of(data.Get("memory"));
  const double offset = data.Get("offset").As<Napi::Number>();
  const double length = data.Get("length").As<Napi::Number>();
  if (!(length >= 0 && length * static_cast<double>(names_.size()) <= static_cast<double>(memory.length))) {
    throw Napi::RangeError::New(data.Env(), "the memory is too small for the data");
  }
  data_ = DataRequest{static_cast<uint64_t>(offset), static_cast<size_t>(length), memory.data};
  hold(data.Get("memory"));
}

int ReadOperation::start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) {
  auto& object = objects_[i];
  librados::ObjectReadOperation op;
  op.stat2(&object.size, &object.mtime, &object.stat_code);
  if (data_) op.read(data_->offset, data_->length, &object.data, &object.data_code);
  // Erasure-coded pools reject calls for the omap: FAILOK, and complete() takes the object for one without an omap.
  if (attributes_) {
    op.getxattrs(&object.xattrs, &object.xattrs_code);
    op.omap_get_header(&object.omap_header, &object.header_code);
    op.set_op_flags2(librados::OP_FAILOK);
    // Pages begin after a key, so they never have the empty one.
    op.omap_get_vals_by_keys({""}, &object.omap_empty_key, &object.empty_key_code);
    op.set_op_flags2(librados::OP_FAILOK);
  }
  if (omap_) {
    op.omap_get_vals2(omap_->after, omap_->count, &object.omap, &object.omap_more, &object.omap_code);
    op.set_op_flags2(librados::OP_FAILOK);
  }
  return io.aio_operate(names_[i].oid, completion, &op, librados::OPERATION_NOFLAG, nullptr);
}

int ReadOperation::complete(size_t i, uint64_t version) {
  auto& object = objects_[i];
  object.version = version;
  object.omap.merge(object.omap_empty_key);
  for (int code : {object.omap_code, object.empty_key_code, object.header_code}) {
    if (code < 0 && code != -EOPNOTSUPP) return code;
  }
  for (int code : {object.xattrs_code, object.data_code, object.stat_code}) {
    if (code < 0) return code;
  }
  return data_ ? copy_data(i) : 0;
}

int ReadOperation::copy_data(size_t i) {
  auto& object = objects_[i];
  object.data_length = object.data.length();
  if (object.data_length > data_->length) return -EIO;
  connection_->with_memory([&] {
    auto* to = reinterpret_cast<char*>(data_->memory + i * data_->length);
    object.data.begin().copy(static_cast<unsigned>(object.data_length), to);
  });
  object.data.clear();
  return 0;
}

bool ReadOperation::Object::has_attributes() const {
  return !xattrs.empty() || omap_header.length() > 0 || !omap.empty() || omap_more;
}

// A FlatPairs: key, value, key, value, …
static Napi::Array flat_pairs_of(Napi::Env env, const std::map<std::string, librados::bufferlist>& pairs) {
  auto flat = Napi::Array::New(env, 2 * pairs.size());
  uint32_t at = 0;
  for (const auto& [key, value] : pairs) {
    Napi::HandleScope scope(env);
    flat[at++] = Napi::Buffer<char>::Copy(env, key.data(), key.size());
    flat[at++] = buffer_of(env, value);
  }
  return flat;
}

Napi::Value ReadOperation::result(Napi::Env env) {
  const size_t count = objects_.size();
  auto size = Napi::Float64Array::New(env, count), data_length = Napi::Float64Array::New(env, count);
  auto mtime = Napi::BigInt64Array::New(env, count);
  auto version = Napi::BigUint64Array::New(env, count);
  auto attributes = Napi::Array::New(env, count);
  // Made once: a key made for each object would cost more than setting its value.
  const auto xattrs = Napi::String::New(env, "xattrs"), omap_header = Napi::String::New(env, "omapHeader"),
             omap = Napi::String::New(env, "omap"), omap_more = Napi::String::New(env, "omapMore");
  for (size_t i = 0; i < count; i++) {
    const auto& object = objects_[i];
    size[i] = static_cast<double>(object.size);
    data_length[i] = static_cast<double>(object.data_length);
    mtime[i] = nanoseconds_of(object.mtime);
    version[i] = object.version;
    if (errno_[i] < 0 || !object.has_attributes()) continue;
    Napi::HandleScope scope(env);
    auto found = Napi::Object::New(env);
    found.Set(xattrs, flat_pairs_of(env, object.xattrs));
    found.Set(omap_header, buffer_of(env, object.omap_header));
    found.Set(omap, flat_pairs_of(env, object.omap));
    found.Set(omap_more, Napi::Boolean::New(env, object.omap_more));
    attributes[static_cast<uint32_t>(i)] = found;
  }
  auto batch = Napi::Object::New(env);
  batch["errno"] = errnos(env);
  batch["size"] = size;
  batch["mtime"] = mtime;
  batch["version"] = version;
  batch["dataLength"] = data_length;
  batch["attributes"] = attributes;
  return batch;
}
