#pragma once
#include "objects_op.h"

// Removes objects. The result is an errno for each.
class RemoveOperation : public ObjectsOperation {
 public:
  // `info` is (pool, PackedNames, callback).
  using ObjectsOperation::ObjectsOperation;

 protected:
  int start(size_t i, librados::IoCtx& io, librados::AioCompletion* completion) override {
    librados::ObjectWriteOperation op;
    op.remove();
    // A full cluster accepts removals, but without this flag librados keeps them back.
    return io.aio_operate(names_[i].oid, completion, &op, librados::OPERATION_FULL_TRY);
  }
  int complete(size_t, uint64_t) override { return 0; }
};
