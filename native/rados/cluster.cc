#include "cluster.h"

#include "arguments.h"
#include "list_op.h"
#include "read_op.h"
#include "remove_op.h"
#include "stat_op.h"
#include "write_op.h"

Napi::Function Cluster::define(Napi::Env env) {
  return DefineClass(env, "Cluster",
                     {
                         InstanceMethod<&Cluster::connect>("connect"),
                         InstanceMethod<&Cluster::list_pools>("listPools"),
                         InstanceMethod<&Cluster::pool_stats>("poolStats"),
                         InstanceMethod<&Cluster::pool_details>("poolDetails"),
                         InstanceMethod<&Cluster::pool_tiers>("poolTiers"),
                         InstanceMethod<&Cluster::open_pool>("openPool"),
                         InstanceMethod<&Cluster::close_pool>("closePool"),
                         InstanceMethod<&Cluster::list_objects>("listObjects"),
                         InstanceMethod<&Cluster::submit<StatOperation>>("stat"),
                         InstanceMethod<&Cluster::submit<CountOnlyClonesOperation>>("countOnlyClones"),
                         InstanceMethod<&Cluster::submit<ReadOperation>>("read"),
                         InstanceMethod<&Cluster::submit<WriteOperation>>("write"),
                         InstanceMethod<&Cluster::submit<RemoveOperation>>("remove"),
                         InstanceMethod<&Cluster::close>("close"),
                     });
}

Cluster::Cluster(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Cluster>(info) {
  connection_->open(info.Env());
  // Hooks run last in, first out: this one before the environment takes apart what open() made.
  napi_add_env_cleanup_hook(info.Env(), on_environment_end, this);
  Ref();
}

Napi::Value Cluster::start(const Napi::CallbackInfo& info, ClusterCall call) {
  auto* operation = new ClusterOperation(info[info.Length() - 1], std::move(call));
  connection_->start(info.Env(), operation, connection_->blocking,
                     [connection = connection_, operation] { operation->run(connection); });
  return info.Env().Undefined();
}

Napi::Value Cluster::connect(const Napi::CallbackInfo& info) {
  auto given = info[0].As<Napi::Object>();
  auto text = [&](const char* key) -> std::string { return given.Get(key).As<Napi::String>(); };
  ConnectOptions options{text("user"), text("cluster"), text("conf"), {}};
  auto settings = given.Get("settings").As<Napi::Array>();
  for (uint32_t i = 0; i < settings.Length(); i++) {
    auto setting = settings.Get(i).As<Napi::Array>();
    options.settings.emplace_back(setting.Get(0u).As<Napi::String>(), setting.Get(1u).As<Napi::String>());
  }
  return start(info, [options](auto& connection) { return ::connect(connection, options); });
}

Napi::Value Cluster::list_pools(const Napi::CallbackInfo& info) { return start(info, ::list_pools); }

Napi::Value Cluster::pool_stats(const Napi::CallbackInfo& info) {
  return start(info, [names = string_list_of(info[0])](auto& connection) { return ::pool_stats(connection, names); });
}

Napi::Value Cluster::pool_details(const Napi::CallbackInfo& info) { return start(info, ::pool_details); }

Napi::Value Cluster::pool_tiers(const Napi::CallbackInfo& info) {
  return start(info, [names = string_list_of(info[0])](auto& connection) { return ::pool_tiers(connection, names); });
}

Napi::Value Cluster::open_pool(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  return start(info, [name](auto& connection) { return ::open_pool(connection, name); });
}

// Operations that are under way keep their pool until they are done.
Napi::Value Cluster::close_pool(const Napi::CallbackInfo& info) {
  connection_->remove_pool(info[0].As<Napi::Number>());
  return info.Env().Undefined();
}

std::shared_ptr<Pool> Cluster::pool(const Napi::Value& number) {
  auto pool = connection_->pool(number.As<Napi::Number>());
  // After close() nothing is started, so the pool is not needed.
  if (pool == nullptr && !connection_->closed()) throw Napi::RangeError::New(number.Env(), "no such pool");
  return pool;
}

Napi::Value Cluster::list_objects(const Napi::CallbackInfo& info) {
  auto* operation = new ListOperation(info, pool(info[0]));
  connection_->start(info.Env(), operation, connection_->blocking,
                     [connection = connection_, operation] { operation->run(connection); });
  return info.Env().Undefined();
}

template <typename Made>
Napi::Value Cluster::submit(const Napi::CallbackInfo& info) {
  auto* operation = new Made(info, pool(info[0]), connection_);
  connection_->start(info.Env(), operation, connection_->submitter, [operation] { operation->submit(); });
  return info.Env().Undefined();
}

Napi::Value Cluster::close(const Napi::CallbackInfo& info) {
  if (!connection_->closed()) {
    napi_remove_env_cleanup_hook(info.Env(), on_environment_end, this);
    connection_->close(info.Env(), true);
    Unref();
  }
  return info.Env().Undefined();
}

void Cluster::on_environment_end(void* self) {
  auto* cluster = static_cast<Cluster*>(self);
  cluster->connection_->close(cluster->Env(), false);
}
