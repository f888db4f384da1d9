#pragma once
#include "connection.h"
#include "names.h"

// list(pool, slice, slices, cursor, count, (code, names, offsets, next) => …): up to about `count` names of
// one of `slices` equal parts of the pool, from the text `cursor` ("" is the start). `next` is "" at the end.
class ListOperation : public Operation {
 public:
  ListOperation(const Napi::CallbackInfo& info, std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);
  void run();
  void answer(Napi::Env env) override;

 private:
  int list();

  std::shared_ptr<Pool> pool_;
  std::shared_ptr<Connection> connection_;
  size_t slice_, slices_, count_;
  std::string cursor_;
  int code_ = 0;
  std::vector<librados::ObjectItem> items_;
};
