#include "cluster.h"

#include <cerrno>

#include "list_op.h"
#include "packed_ops.h"
#include "read_op.h"
#include "write_op.h"

void Operation::call(Napi::Env env, int code, std::initializer_list<napi_value> results) {
  std::vector<napi_value> arguments{Napi::Number::New(env, code)};
  arguments.insert(arguments.end(), results);
  callback_.Call(arguments);
}

void Operation::abandon(Napi::Env env) { call(env, -ECANCELED); }

bool ClusterState::enlist(Napi::Env env, Operation* operation) {
  std::lock_guard<std::mutex> lock(mutex);
  if (closed) return false;
  if (under_way.empty()) wake.Ref(env);
  under_way.insert(operation);
  return true;
}

void ClusterState::finish(Operation* operation) {
  std::lock_guard<std::mutex> lock(mutex);
  if (closed) return;
  finished.push_back(operation);
  if (woken) return;
  woken = true;
  wake.NonBlockingCall();
}

void ClusterState::deliver(Napi::Env env) {
  std::vector<Operation*> ready;
  {
    std::lock_guard<std::mutex> lock(mutex);
    ready.swap(finished);
    woken = false;
    for (auto* op : ready) under_way.erase(op);
    if (!ready.empty() && under_way.empty() && !closed) wake.Unref(env);
  }
  for (auto* op : ready) {
    Napi::HandleScope scope(env);
    op->deliver(env);
    delete op;
  }
}

namespace {

// connect, list of pools, opening of a pool: one blocking call each.
class Simple : public Operation {
 public:
  using Operation::Operation;
  void deliver(Napi::Env env) override {
    if (code < 0) return call(env, code);
    auto list = Napi::Array::New(env, names.size());
    for (size_t i = 0; i < names.size(); i++) list[i] = Napi::String::New(env, names[i]);
    call(env, 0, {Napi::Number::New(env, number), list});
  }
  int code = 0;
  double number = 0;
  std::vector<std::string> names;
};

int connect_to(librados::Rados& rados, const std::string& user, const std::string& cluster,
               const std::string& conf, const std::vector<std::pair<std::string, std::string>>& options,
               std::string& fsid) {
  int code = rados.init2(user.c_str(), cluster.c_str(), 0);
  if (code < 0) return code;
  code = rados.conf_read_file(conf.c_str());
  if (code < 0) return code;
  for (const auto& [key, value] : options) {
    code = rados.conf_set(key.c_str(), value.c_str());
    if (code < 0) return code;
  }
  code = rados.connect();
  if (code < 0) return code;
  return rados.cluster_fsid(&fsid);
}

}  // namespace

Napi::Function Cluster::define(Napi::Env env) {
  return DefineClass(env, "Cluster",
                     {
                         InstanceMethod<&Cluster::connect>("connect"),
                         InstanceMethod<&Cluster::pools>("pools"),
                         InstanceMethod<&Cluster::open_pool>("openPool"),
                         InstanceMethod<&Cluster::close_pool>("closePool"),
                         InstanceMethod<&Cluster::list>("list"),
                         InstanceMethod<&Cluster::stat>("stat"),
                         InstanceMethod<&Cluster::read>("read"),
                         InstanceMethod<&Cluster::write>("write"),
                         InstanceMethod<&Cluster::remove>("remove"),
                         InstanceMethod<&Cluster::close>("close"),
                     });
}

Cluster::Cluster(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Cluster>(info), state_(std::make_shared<ClusterState>()) {
  auto deliver = Napi::Function::New(
      info.Env(), [state = state_](const Napi::CallbackInfo& call) { state->deliver(call.Env()); });
  state_->wake = Napi::ThreadSafeFunction::New(info.Env(), deliver, "rados", 0, 1);
  // The event loop stays alive while something is under way, and no longer.
  state_->wake.Unref(info.Env());
  napi_add_env_cleanup_hook(info.Env(), at_exit, this);
  Ref();
}

Cluster::~Cluster() {}

// connect(user, cluster, conf, [[option, value]…], (code, _, [fsid]) => …)
Napi::Value Cluster::connect(const Napi::CallbackInfo& info) {
  const std::string user = info[0].As<Napi::String>();
  const std::string cluster = info[1].As<Napi::String>();
  const std::string conf = info[2].As<Napi::String>();
  std::vector<std::pair<std::string, std::string>> options;
  auto given = info[3].As<Napi::Array>();
  for (uint32_t i = 0; i < given.Length(); i++) {
    auto pair = given.Get(i).As<Napi::Array>();
    options.emplace_back(pair.Get(0u).As<Napi::String>(), pair.Get(1u).As<Napi::String>());
  }
  auto* op = new Simple(info[4].As<Napi::Function>());
  auto state = state_;
  start(op, state->blocking, [=] {
    std::string fsid;
    op->code = connect_to(state->rados, user, cluster, conf, options, fsid);
    op->names.push_back(fsid);
    state->finish(op);
  });
  return info.Env().Undefined();
}

// pools((code, _, names) => …)
Napi::Value Cluster::pools(const Napi::CallbackInfo& info) {
  auto* op = new Simple(info[0].As<Napi::Function>());
  auto state = state_;
  start(op, state->blocking, [=] {
    std::list<std::string> names;
    op->code = state->rados.pool_list(names);
    op->names.assign(names.begin(), names.end());
    state->finish(op);
  });
  return info.Env().Undefined();
}

// openPool(name, (code, number) => …)
Napi::Value Cluster::open_pool(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  auto* op = new Simple(info[1].As<Napi::Function>());
  auto state = state_;
  start(op, state->blocking, [=] {
    auto opened = std::make_shared<Pool>();
    op->code = state->rados.ioctx_create(name.c_str(), opened->objects);
    if (op->code == 0) op->code = state->rados.ioctx_create(name.c_str(), opened->listing);
    if (op->code == 0) {
      opened->listing.set_namespace(librados::all_nspaces);
      std::lock_guard<std::mutex> lock(state->mutex);
      state->pools.push_back(std::move(opened));
      op->number = static_cast<double>(state->pools.size() - 1);
    }
    state->finish(op);
  });
  return info.Env().Undefined();
}

// closePool(number). What is under way on the pool keeps it until it is done.
Napi::Value Cluster::close_pool(const Napi::CallbackInfo& info) {
  const uint32_t index = info[0].As<Napi::Number>();
  std::lock_guard<std::mutex> lock(state_->mutex);
  if (index < state_->pools.size()) state_->pools[index].reset();
  return info.Env().Undefined();
}

std::shared_ptr<Pool> Cluster::pool(const Napi::Value& number) {
  const uint32_t index = number.As<Napi::Number>();
  std::lock_guard<std::mutex> lock(state_->mutex);
  if (index >= state_->pools.size() || state_->pools[index] == nullptr) {
    throw Napi::RangeError::New(number.Env(), "no such pool");
  }
  return state_->pools[index];
}

void Cluster::start(Operation* operation, TaskThreads& threads, std::function<void()> task) {
  if (state_->enlist(Env(), operation) && threads.post(std::move(task))) return;
  operation->abandon(Env());
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->under_way.erase(operation);
  delete operation;
}

// list(pool, slice, slices, cursor, count, (code, names, offsets, next) => …), see list_op.h
Napi::Value Cluster::list(const Napi::CallbackInfo& info) {
  auto* op = new ListOperation(info, pool(info[0]), state_);
  start(op, state_->blocking, [op] { op->run(); });
  return info.Env().Undefined();
}

// stat(pool, names, offsets, errno, size, mtime, version, (code) => …)
Napi::Value Cluster::stat(const Napi::CallbackInfo& info) {
  auto* op = new StatOperation(info, pool(info[0]), state_);
  start(op, state_->submitter, [op] { op->submit(); });
  return info.Env().Undefined();
}

// remove(pool, names, offsets, errno, (code) => …)
Napi::Value Cluster::remove(const Napi::CallbackInfo& info) {
  auto* op = new RemoveOperation(info, pool(info[0]), state_);
  start(op, state_->submitter, [op] { op->submit(); });
  return info.Env().Undefined();
}

// read(pool, names, offsets, request, memory, (code, result) => …), see read_op.h
Napi::Value Cluster::read(const Napi::CallbackInfo& info) {
  auto* op = new ReadOperation(info, pool(info[0]), state_);
  start(op, state_->submitter, [op] { op->submit(); });
  return info.Env().Undefined();
}

// write(pool, names, offsets, objects, errno, (code) => …), see write_op.h
Napi::Value Cluster::write(const Napi::CallbackInfo& info) {
  auto* op = new WriteOperation(info, pool(info[0]), state_);
  start(op, state_->submitter, [op] { op->submit(); });
  return info.Env().Undefined();
}

// close(): what is under way calls back with -ECANCELED before this returns.
Napi::Value Cluster::close(const Napi::CallbackInfo& info) {
  if (!shut_) {
    napi_remove_env_cleanup_hook(info.Env(), at_exit, this);
    shut_down(info.Env(), true);
    Unref();
  }
  return info.Env().Undefined();
}

void Cluster::shut_down(Napi::Env env, bool deliver_rest) {
  shut_ = true;
  std::unordered_set<Operation*> rest;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->closed = true;
    rest.swap(state_->under_way);
    state_->finished.clear();
  }
  state_->submitter.stop();
  state_->blocking.stop();
  // After this librados calls back no more.
  state_->pools.clear();
  state_->rados.shutdown();
  state_->wake.Release();
  for (auto* op : rest) {
    if (deliver_rest) {
      Napi::HandleScope scope(env);
      op->abandon(env);
    }
    delete op;
  }
}

void Cluster::at_exit(void* self) {
  auto* cluster = static_cast<Cluster*>(self);
  cluster->shut_down(cluster->Env(), false);
}
