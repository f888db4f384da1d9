#include "task_threads.h"

TaskThreads::TaskThreads(size_t count) {
  for (size_t i = 0; i < count; i++) threads_.emplace_back([this] { run(); });
}

TaskThreads::~TaskThreads() {
  stop();
  join();
}

void TaskThreads::post(std::function<void()> task) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) return;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void TaskThreads::stop() {
  std::deque<std::function<void()>> dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    dropped.swap(tasks_);
  }
  wake_.notify_all();
}

void TaskThreads::join() {
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void TaskThreads::run() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
      if (stopped_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}
