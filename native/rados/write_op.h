#pragma once
#include <ctime>

#include "objects_op.h"

// Writes objects, each by one atomic operation. The result is an errno for each.
//
// Reads the memory of JavaScript (the data, keys and values) on the submitter thread, under Connection::with_memory; it
// holds the array of objects, and so all that is in it.
class WriteOperation : public ObjectsOperation {
 public:
  // `info` is (pool, PackedNames, WriteContents[], WriteMode, callback), as src/sources/ceph/librados.ts has it.
  WriteOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);

 protected:
  int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) override;
  int complete(size_t, uint64_t) override { return 0; }

 private:
  struct Contents {
    std::vector<Bytes> data;
    std::vector<BytePair> xattrs;
    Bytes omap_header;
    std::vector<BytePair> omap;
    timespec mtime;
  };
  void fill(const Contents& object, librados::ObjectWriteOperation& op) const;

  bool replace_;
  uint64_t offset_;
  std::vector<Contents> objects_;
};
