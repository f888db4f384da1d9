#include "write_op.h"

#include <cerrno>

#include "results.h"

namespace {

librados::bufferlist copy_of(const Bytes& bytes) {
  librados::bufferlist list;
  list.append(reinterpret_cast<const char*>(bytes.data), static_cast<unsigned>(bytes.length));
  return list;
}

}  // namespace

WriteOperation::WriteOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool,
                               std::shared_ptr<Connection> connection)
    : ObjectsOperation(info, std::move(pool), std::move(connection)) {
  const auto env = info.Env();
  auto objects = info[2].As<Napi::Array>();
  auto mode = info[3].As<Napi::Object>();
  replace_ = mode.Get("replace").As<Napi::Boolean>();
  offset_ = static_cast<uint64_t>(mode.Get("offset").As<Napi::Number>().DoubleValue());
  if (objects.Length() != names_.size()) throw Napi::RangeError::New(env, "names and objects differ in length");
  // Made once: a key made for each object would cost more than getting its value.
  const auto data = Napi::String::New(env, "data"), xattrs = Napi::String::New(env, "xattrs"),
             omap_header = Napi::String::New(env, "omapHeader"), omap = Napi::String::New(env, "omap"),
             mtime = Napi::String::New(env, "mtime");
  objects_.reserve(names_.size());
  for (uint32_t i = 0; i < objects.Length(); i++) {
    Napi::HandleScope scope(env);
    auto object = objects.Get(i).As<Napi::Object>();
    bool lossless = false;
    objects_.push_back({byte_list_of(object.Get(data)), byte_pairs_of(object.Get(xattrs)),
                        bytes_of(object.Get(omap_header)), byte_pairs_of(object.Get(omap)),
                        timespec_of(object.Get(mtime).As<Napi::BigInt>().Int64Value(&lossless))});
  }
  hold(objects);
}

void WriteOperation::fill(const Contents& object, librados::ObjectWriteOperation& op) const {
  if (replace_) {
    // Removing the object first takes away the xattrs and the omap that it had. In one operation, so that no reader
    // sees it absent.
    op.remove();
    op.set_op_flags2(librados::OP_FAILOK);
    op.create(false);
  }
  librados::bufferlist data;
  for (const auto& piece : object.data) data.append(reinterpret_cast<const char*>(piece.data), piece.length);
  if (data.length() > 0) op.write(offset_, data);
  for (const auto& [name, value] : object.xattrs) op.setxattr(string_of(name).c_str(), copy_of(value));
  if (object.omap_header.length > 0) op.omap_set_header(copy_of(object.omap_header));
  if (!object.omap.empty()) {
    std::map<std::string, librados::bufferlist> pairs;
    for (const auto& [key, value] : object.omap) pairs[string_of(key)] = copy_of(value);
    op.omap_set(pairs);
  }
  auto mtime = object.mtime;
  op.mtime2(&mtime);
}

int WriteOperation::start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) {
  librados::ObjectWriteOperation op;
  if (!connection_->with_memory([&] { fill(objects_[i], op); })) return -ECANCELED;
  // A full cluster answers ENOSPC or EDQUOT, where without this flag librados keeps the write back until there is room.
  return io.aio_operate(names_[i].oid, completion, &op, librados::OPERATION_FULL_TRY);
}
