#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

// A few threads that run tasks in the order they were posted. librados calls that may block (submitting
// under Objecter throttles, listing, connecting) run here, so that the JavaScript thread never does.
class TaskThreads {
 public:
  explicit TaskThreads(size_t count);
  ~TaskThreads();
  TaskThreads(const TaskThreads&) = delete;
  TaskThreads& operator=(const TaskThreads&) = delete;

  // Drops the task when the threads were stopped.
  void post(std::function<void()> task);
  // Lets each thread finish the task it is in, and drops the others.
  void stop();
  // Waits for the threads to end after stop(). Not from one of them.
  void join();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  bool stopped_ = false;
};
