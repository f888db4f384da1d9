#pragma once
#include <napi.h>

#include "cluster_ops.h"
#include "connection.h"

// The class that JavaScript makes for a connection to one Ceph cluster. Its methods run on the JavaScript thread, and
// only start things; their types are in src/sources/ceph/librados.ts (LibradosCluster).
//
// An open cluster is not collected: it holds a reference to itself until close(). When its environment ends first (the
// process exits, or its worker thread is terminated), a hook closes the connection and calls no callback.
class Cluster : public Napi::ObjectWrap<Cluster> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Cluster(const Napi::CallbackInfo& info);

 private:
  Napi::Value connect(const Napi::CallbackInfo& info);
  Napi::Value list_pools(const Napi::CallbackInfo& info);
  Napi::Value pool_stats(const Napi::CallbackInfo& info);
  Napi::Value pool_details(const Napi::CallbackInfo& info);
  Napi::Value pool_tiers(const Napi::CallbackInfo& info);
  Napi::Value open_pool(const Napi::CallbackInfo& info);
  Napi::Value close_pool(const Napi::CallbackInfo& info);
  Napi::Value list_objects(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  // Starts a call that concerns no object; the callback is the last argument.
  Napi::Value start(const Napi::CallbackInfo& info, ClusterCall call);
  // Starts an ObjectsOperation of this class.
  template <typename Made>
  Napi::Value submit(const Napi::CallbackInfo& info);
  std::shared_ptr<Pool> pool(const Napi::Value& number);
  static void on_environment_end(void* self);

  std::shared_ptr<Connection> connection_ = std::make_shared<Connection>();
};
