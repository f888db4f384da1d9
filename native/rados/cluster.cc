#include "cluster.h"

#include "list_op.h"
#include "packed_ops.h"
#include "read_op.h"
#include "write_op.h"

Napi::Function Cluster::define(Napi::Env env) {
  return DefineClass(env, "Cluster",
                     {
                         InstanceMethod<&Cluster::connect>("connect"),
                         InstanceMethod<&Cluster::pools>("pools"),
                         InstanceMethod<&Cluster::pool_stats>("poolStats"),
                         InstanceMethod<&Cluster::pool_details>("poolDetails"),
                         InstanceMethod<&Cluster::pool_tiers>("poolTiers"),
                         InstanceMethod<&Cluster::open_pool>("openPool"),
                         InstanceMethod<&Cluster::close_pool>("closePool"),
                         InstanceMethod<&Cluster::list>("list"),
                         InstanceMethod<&Cluster::stat>("stat"),
                         InstanceMethod<&Cluster::only_clones>("onlyClones"),
                         InstanceMethod<&Cluster::read>("read"),
                         InstanceMethod<&Cluster::write>("write"),
                         InstanceMethod<&Cluster::remove>("remove"),
                         InstanceMethod<&Cluster::close>("close"),
                     });
}

Cluster::Cluster(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Cluster>(info) {
  connection_->open(info.Env());
  // Hooks run last in, first out: this one before the environment takes apart what open() made.
  napi_add_env_cleanup_hook(info.Env(), at_exit, this);
  Ref();
}

Napi::Value Cluster::block(const Napi::Value& callback,
                           std::function<void(Connection&, BlockingOperation&)> task) {
  auto* operation = new BlockingOperation(callback.As<Napi::Function>());
  connection_->start(Env(), operation, connection_->blocking, [connection = connection_, operation, task] {
    task(*connection, *operation);
    connection->finish(operation);
  });
  return Env().Undefined();
}

// connect(user, cluster, conf, [[option, value]…], (code, _, [fsid]) => …)
Napi::Value Cluster::connect(const Napi::CallbackInfo& info) {
  ConnectOptions options{info[0].As<Napi::String>(), info[1].As<Napi::String>(), info[2].As<Napi::String>(), {}};
  auto given = info[3].As<Napi::Array>();
  for (uint32_t i = 0; i < given.Length(); i++) {
    auto pair = given.Get(i).As<Napi::Array>();
    options.settings.emplace_back(pair.Get(0u).As<Napi::String>(), pair.Get(1u).As<Napi::String>());
  }
  return block(info[4], [options](auto& connection, auto& answer) { ::connect(connection, options, answer); });
}

// pools((code, _, names) => …)
Napi::Value Cluster::pools(const Napi::CallbackInfo& info) { return block(info[0], list_pools); }

template <typename Texts>
static Texts texts_of(const Napi::Value& value) {
  Texts texts;
  auto given = value.As<Napi::Array>();
  for (uint32_t i = 0; i < given.Length(); i++) texts.push_back(given.Get(i).As<Napi::String>());
  return texts;
}

// poolStats(names, (code, [objects, bytes, …], names) => …): of the pools that there are, in any order.
Napi::Value Cluster::pool_stats(const Napi::CallbackInfo& info) {
  auto names = texts_of<std::list<std::string>>(info[0]);
  return block(info[1], [names](auto& connection, auto& answer) { ::pool_stats(connection, names, answer); });
}

// poolDetails((code, _, [json]) => …)
Napi::Value Cluster::pool_details(const Napi::CallbackInfo& info) { return block(info[0], ::pool_details); }

// poolTiers(names, (code, _, [json] or []) => …)
Napi::Value Cluster::pool_tiers(const Napi::CallbackInfo& info) {
  auto names = texts_of<std::vector<std::string>>(info[0]);
  return block(info[1], [names](auto& connection, auto& answer) { ::pool_tiers(connection, names, answer); });
}

// openPool(name, (code, [number, alignment, id]) => …)
Napi::Value Cluster::open_pool(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  return block(info[1], [name](auto& connection, auto& answer) { ::open_pool(connection, name, answer); });
}

// closePool(number). What is under way on the pool keeps it until it is done.
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

template <typename Made>
Napi::Value Cluster::submit(const Napi::CallbackInfo& info) {
  auto* operation = new Made(info, pool(info[0]), connection_);
  connection_->start(info.Env(), operation, connection_->submitter, [operation] { operation->submit(); });
  return info.Env().Undefined();
}

Napi::Value Cluster::list(const Napi::CallbackInfo& info) {
  auto* operation = new ListOperation(info, pool(info[0]), connection_);
  connection_->start(info.Env(), operation, connection_->blocking, [operation] { operation->run(); });
  return info.Env().Undefined();
}

Napi::Value Cluster::stat(const Napi::CallbackInfo& info) { return submit<StatOperation>(info); }

Napi::Value Cluster::only_clones(const Napi::CallbackInfo& info) { return submit<OnlyClonesOperation>(info); }

Napi::Value Cluster::remove(const Napi::CallbackInfo& info) { return submit<RemoveOperation>(info); }

Napi::Value Cluster::read(const Napi::CallbackInfo& info) { return submit<ReadOperation>(info); }

Napi::Value Cluster::write(const Napi::CallbackInfo& info) { return submit<WriteOperation>(info); }

// close(): what is under way calls back with -ECANCELED before this returns. Takes a second at most.
Napi::Value Cluster::close(const Napi::CallbackInfo& info) {
  if (!connection_->closed()) {
    napi_remove_env_cleanup_hook(info.Env(), at_exit, this);
    connection_->close(info.Env(), true);
    Unref();
  }
  return info.Env().Undefined();
}

void Cluster::at_exit(void* self) {
  auto* cluster = static_cast<Cluster*>(self);
  cluster->connection_->close(cluster->Env(), false);
}
