#include "connection.h"

#include <chrono>
#include <future>
#include <thread>

#include "exit_guard.h"

// How long close() waits for threads that are inside librados.
static constexpr auto kCloseTimeout = std::chrono::seconds(1);

void Connection::open(Napi::Env env) {
  exit_guard::connection_opened();
  auto deliver = Napi::Function::New(
      env, [self = shared_from_this()](const Napi::CallbackInfo& call) { self->deliver(call.Env()); });
  wake_ = Napi::ThreadSafeFunction::New(env, deliver, "rados", 0, 1);
  // Only operations under way keep the event loop alive.
  wake_.Unref(env);
}

void Connection::start(Napi::Env env, Operation* operation, TaskThreads& threads, std::function<void()> task) {
  if (closed_) {
    operation->abandon(env);
    delete operation;
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (under_way_.empty()) wake_.Ref(env);
    under_way_.insert(operation);
  }
  threads.post(std::move(task));
}

void Connection::finish(Operation* operation) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  finished_.push_back(operation);
  if (woken_) return;
  woken_ = true;
  wake_.NonBlockingCall();
}

void Connection::deliver(Napi::Env env) {
  std::vector<Operation*> ready;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ready.swap(finished_);
    woken_ = false;
    for (auto* operation : ready) under_way_.erase(operation);
    if (!ready.empty() && under_way_.empty() && !closed_) wake_.Unref(env);
  }
  // Without the lock: a callback may start operations and close the connection.
  for (auto* operation : ready) {
    operation->deliver(env);
    delete operation;
  }
}

std::shared_ptr<Pool> Connection::pool(uint32_t number) {
  std::lock_guard<std::mutex> lock(mutex_);
  return !closed_ && number < pools_.size() ? pools_[number] : nullptr;
}

uint32_t Connection::add_pool(std::shared_ptr<Pool> pool) {
  std::lock_guard<std::mutex> lock(mutex_);
  pools_.push_back(std::move(pool));
  return static_cast<uint32_t>(pools_.size() - 1);
}

void Connection::remove_pool(uint32_t number) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!closed_ && number < pools_.size()) pools_[number].reset();
}

void Connection::close(Napi::Env env, bool call_back) {
  std::unordered_set<Operation*> abandoned;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    closed_ = true;
    abandoned.swap(under_way_);
    finished_.clear();
  }
  // Waits for threads that touch memory of JavaScript; closed_ keeps others out.
  { std::unique_lock<std::shared_mutex> lock(memory_); }
  wake_.Release();
  submitter.stop();
  blocking.stop();

  // The rest may block, so it has a thread of its own.
  std::promise<void> ended;
  auto end = ended.get_future();
  for (auto* operation : abandoned) {
    if (call_back) operation->abandon(env);
    operation->let_go();
  }
  auto self = shared_from_this();
  try {
    std::thread([self, abandoned, ended = std::move(ended)]() mutable {
      self->shut_down(abandoned);
      ended.set_value();
    }).detach();
  } catch (const std::system_error&) {
    // No thread can be started: leak the connection, since librados still uses it.
    new std::shared_ptr<Connection>(self);
    return;
  }
  end.wait_for(kCloseTimeout);
}

void Connection::shut_down(const std::unordered_set<Operation*>& abandoned) {
  submitter.join();
  blocking.join();
  pools_.clear();
  // After this, librados calls back no more.
  rados.shutdown();
  for (auto* operation : abandoned) delete operation;
  exit_guard::connection_ended();
}
