#pragma once
#include <ctime>
#include <map>
#include <optional>

#include "objects_op.h"

// Reads objects: each by one operation, so that what is read of it belongs together.
//
// The data goes to memory of JavaScript, under Connection::with_memory, on the thread of librados that receives it: the
// copy costs the JavaScript thread nothing. The operation holds that memory.
class ReadOperation : public ObjectsOperation {
 public:
  // `info` is (pool, PackedNames, ReadRequest, callback), as src/sources/ceph/librados.ts has it.
  ReadOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);

 protected:
  int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) override;
  int complete(size_t i, uint64_t version) override;
  // A ReadBatch.
  Napi::Value result(Napi::Env env) override;

 private:
  using Pairs = std::map<std::string, librados::bufferlist>;
  // What librados fills in, with a code for each part.
  struct Object {
    uint64_t size = 0;
    timespec mtime{};
    uint64_t version = 0;
    librados::bufferlist data;
    size_t data_length = 0;
    Pairs xattrs;
    librados::bufferlist omap_header;
    // The entry under the empty key, if there is one.
    Pairs omap_empty_key;
    Pairs omap;
    bool omap_more = false;
    int stat_code = 0, data_code = 0, xattrs_code = 0, header_code = 0, empty_key_code = 0, omap_code = 0;

    bool has_attributes() const;
  };
  struct DataRequest {
    uint64_t offset;
    size_t length;
    // Where the data of object `i` goes: to memory + i * length.
    uint8_t* memory;
  };
  struct OmapRequest {
    std::string after;
    uint64_t count;
  };
  void request_data(const Napi::Object& data);
  int copy_data(size_t i);

  bool attributes_;
  std::optional<DataRequest> data_;
  std::optional<OmapRequest> omap_;
  std::vector<Object> objects_;
};
