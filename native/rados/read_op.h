#pragma once
#include <ctime>
#include <map>

#include "connection.h"
#include "names.h"

// read(pool, names, offsets, request, slots, slotOffsets, (code, results) => …)
//
// request: Float64Array [parts, offset, length, omapCount]; parts is a sum of ReadPart. `slots` is a view on shared
// memory, `slotOffsets` the place in it for the data of each object. With one name, a seventh argument before
// the callback is the omap key to start after. results[i] is [code, size, mtime, version, length,
// xattrs, omapHeader, omap, more]; pairs are flat arrays of buffers, null where there are none. The entry
// under the empty omap key comes with the omap's header.
enum ReadPart { kStat = 1, kData = 2, kXattrs = 4, kOmapHeader = 8, kOmap = 16 };

class ReadOperation : public Operation {
 public:
  ReadOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);
  ~ReadOperation() override;
  void submit();
  void answer(Napi::Env env) override;

 private:
  using Pairs = std::map<std::string, librados::bufferlist>;
  struct Object {
    ReadOperation* operation;
    librados::AioCompletion* completion = nullptr;
    int code = 0;
    uint64_t size = 0;
    timespec mtime{};
    uint64_t version = 0;
    size_t length = 0;
    librados::bufferlist data;
    Pairs xattrs;
    librados::bufferlist header;
    Pairs omap;
    Pairs empty_key;
    bool more = false;
    int stat_code = 0, data_code = 0, xattrs_code = 0, header_code = 0, empty_key_code = 0, omap_code = 0;
  };
  static void on_complete(rados_completion_t completion, void* object);
  void finish_one(Object& object);
  void one_done();
  Napi::Value result(Napi::Env env, Object& object);

  std::vector<ObjectName> names_;
  std::shared_ptr<Pool> pool_;
  std::shared_ptr<Connection> connection_;
  int parts_;
  uint64_t offset_;
  size_t length_;
  uint64_t omap_count_;
  std::string omap_after_;
  uint8_t* slots_;
  std::vector<double> slot_offsets_;
  std::vector<Object> objects_;
  std::atomic<size_t> left_{0};
};
