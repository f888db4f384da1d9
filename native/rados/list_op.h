#pragma once
#include "connection.h"

// Lists one page of a pool. Blocks, so a thread of Connection::blocking runs it.
class ListOperation : public Operation {
 public:
  // `info` is (pool, ListRequest, callback), as src/sources/ceph/librados.ts has it.
  ListOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool);
  // On a blocking thread.
  void run(const std::shared_ptr<Connection>& connection);

 protected:
  Napi::Value result(Napi::Env env) override;

 private:
  int list();

  std::shared_ptr<Pool> pool_;
  size_t slice_, slices_, count_;
  std::string cursor_;
  std::vector<librados::ObjectItem> items_;
};
