#pragma once
#include <ctime>

#include "connection.h"
#include "names.h"

// write(pool, names, offsets, objects, errno, (code) => …)
//
// objects[i] is [mode, offset, pieces, xattrs, omapHeader, omap, mtime]: mode 1 replaces all that the object had,
// mode 0 adds to it; pieces are views on the data, which goes to `offset`; xattrs and omap are flat arrays of keys and
// values, or null; mtime is in nanoseconds.
class WriteOperation : public Operation {
 public:
  WriteOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);
  ~WriteOperation() override;
  void submit();
  void answer(Napi::Env env) override;

 private:
  struct Object {
    WriteOperation* operation;
    librados::AioCompletion* completion = nullptr;
    bool replace = false;
    uint64_t offset = 0;
    std::vector<Bytes> pieces;
    std::vector<Bytes> xattrs;
    Bytes header{nullptr, 0};
    bool has_header = false;
    std::vector<Bytes> omap;
    timespec mtime{};
  };
  static void on_complete(rados_completion_t completion, void* object);
  void fill(Object& object, librados::ObjectWriteOperation& op);
  void done(size_t i, int code);
  void one_done();

  std::vector<ObjectName> names_;
  std::shared_ptr<Pool> pool_;
  std::shared_ptr<Connection> connection_;
  int32_t* errno_;
  std::vector<Object> objects_;
  std::atomic<size_t> left_{0};
};
