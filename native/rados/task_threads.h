#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

// Threads that run tasks in the order they were posted: for calls of librados that block, so that the JavaScript thread
// never does. Any thread may call any method, but see join().
class TaskThreads {
 public:
  explicit TaskThreads(size_t count);
  ~TaskThreads();
  TaskThreads(const TaskThreads&) = delete;
  TaskThreads& operator=(const TaskThreads&) = delete;

  // After stop() the task is dropped.
  void post(std::function<void()> task);
  // Drops the tasks that have not begun. Does not wait for those that have.
  void stop();
  // After stop(): waits for the threads to end. Must not be called from one of them.
  void join();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  bool stopped_ = false;
};
