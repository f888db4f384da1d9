#pragma once
#include <napi.h>

#include "blocking_op.h"
#include "connection.h"

// The handle that JavaScript has of a connection to one Ceph cluster.
class Cluster : public Napi::ObjectWrap<Cluster> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Cluster(const Napi::CallbackInfo& info);

 private:
  Napi::Value connect(const Napi::CallbackInfo& info);
  Napi::Value pools(const Napi::CallbackInfo& info);
  Napi::Value pool_stats(const Napi::CallbackInfo& info);
  Napi::Value pool_details(const Napi::CallbackInfo& info);
  Napi::Value pool_tiers(const Napi::CallbackInfo& info);
  Napi::Value open_pool(const Napi::CallbackInfo& info);
  Napi::Value close_pool(const Napi::CallbackInfo& info);
  Napi::Value list(const Napi::CallbackInfo& info);
  Napi::Value only_clones(const Napi::CallbackInfo& info);
  Napi::Value stat(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value remove(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<Pool> pool(const Napi::Value& number);
  Napi::Value block(const Napi::Value& callback, std::function<void(Connection&, BlockingOperation&)> task);
  template <typename Made>
  Napi::Value submit(const Napi::CallbackInfo& info);
  static void at_exit(void* self);

  std::shared_ptr<Connection> connection_ = std::make_shared<Connection>();
};
