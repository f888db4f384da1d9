#include <napi.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

// Ends the process where JavaScript cannot: while a thread is blocked in a system call or a long computation, which
// process.exit waits for, and while the main thread itself is blocked. Also forbids core dumps.
//
// Threads: functions of the exports run on the JavaScript thread. Each of endAfterSignals and endWithin starts a detached
// thread, which owns its Limits, touches no JavaScript, and only ever ends by _exit. on_signal runs on any thread of
// Node. The addon is linked as nodelete, because the threads and the handler outlive the environment that loaded it.
namespace {

constexpr int SIGNALS = 65;

// Counts signals. Posted by on_signal, awaited by one thread.
sem_t arrived;
// The handlers that were there before, by the number of the signal. Written before ours is installed.
std::array<struct sigaction, SIGNALS> previous;

// Calls only what POSIX allows in a signal handler.
void on_signal(int number, siginfo_t* info, void* context) {
  const int error = errno;
  sem_post(&arrived);
  const struct sigaction& next = previous[number];
  if (next.sa_flags & SA_SIGINFO) {
    next.sa_sigaction(number, info, context);
  } else if (next.sa_handler != SIG_DFL && next.sa_handler != SIG_IGN) {
    next.sa_handler(number);
  }
  errno = error;
}

struct Limits {
  // From the first signal, or from the start.
  int64_t first_ms;
  // From the second signal.
  int64_t second_ms;
  // Of the exit.
  int code;
};

int64_t now_ms() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_until(int64_t deadline_ms) {
  const timespec until = {static_cast<time_t>(deadline_ms / 1000), static_cast<long>(deadline_ms % 1000) * 1000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

void wait_for_signal() {
  while (sem_wait(&arrived) != 0) {
  }
}

// Returns false when the deadline passes first. Polls, because sem_timedwait counts by the wall clock.
bool wait_for_signal_until(int64_t deadline_ms) {
  while (sem_trywait(&arrived) != 0) {
    const int64_t left = deadline_ms - now_ms();
    if (left <= 0) return false;
    sleep_until(now_ms() + std::min<int64_t>(left, 50));
  }
  return true;
}

void* end_after_signals(void* argument) {
  const std::unique_ptr<Limits> limits(static_cast<Limits*>(argument));
  wait_for_signal();
  const int64_t deadline = now_ms() + limits->first_ms;
  if (wait_for_signal_until(deadline)) sleep_until(std::min(deadline, now_ms() + limits->second_ms));
  _exit(limits->code);
}

void* end_in_time(void* argument) {
  const std::unique_ptr<Limits> limits(static_cast<Limits*>(argument));
  sleep_until(now_ms() + limits->first_ms);
  _exit(limits->code);
}

void start_thread(Napi::Env env, void* (*run)(void*), std::unique_ptr<Limits> limits) {
  // The thread blocks all signals: handlers must run on the threads of Node.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int failed = pthread_create(&thread, nullptr, run, limits.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed != 0) throw Napi::Error::New(env, "no thread can be started");
  limits.release();
  pthread_detach(thread);
}

// endAfterSignals(signals, firstMs, secondMs, code). Handlers that are installed already are still called.
void end_after_signals_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  static std::atomic<bool> called{false};
  if (called.exchange(true)) throw Napi::Error::New(env, "endAfterSignals was called already");
  if (sem_init(&arrived, 0, 0) != 0) throw Napi::Error::New(env, "no semaphore");
  start_thread(env, end_after_signals,
               std::make_unique<Limits>(Limits{info[1].ToNumber().Int64Value(), info[2].ToNumber().Int64Value(),
                                               info[3].ToNumber().Int32Value()}));
  const Napi::Array numbers = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < numbers.Length(); i++) {
    const int number = numbers.Get(i).ToNumber().Int32Value();
    if (number <= 0 || number >= SIGNALS) throw Napi::RangeError::New(env, "not a signal");
    struct sigaction action = {};
    if (sigaction(number, nullptr, &previous[number]) != 0) throw Napi::Error::New(env, "not a signal to handle");
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
}

// endWithin(ms, code). Ends the process after that time, whatever its threads do.
void end_within(const Napi::CallbackInfo& info) {
  start_thread(info.Env(), end_in_time,
               std::make_unique<Limits>(Limits{info[0].ToNumber().Int64Value(), 0, info[1].ToNumber().Int32Value()}));
}

// forbidCoreDumps(). The limit is 1, not 0: where core_pattern is a program, the kernel gives it the dump at any limit
// but 1, by which it recognises a crash of that program itself (core(5), fs/coredump.c). Child processes inherit it.
void forbid_core_dumps(const Napi::CallbackInfo& info) {
  struct rlimit limit = {1, 1};
  struct rlimit present;
  if (getrlimit(RLIMIT_CORE, &present) == 0 && present.rlim_max < 1) limit = {0, 0};
  if (setrlimit(RLIMIT_CORE, &limit) != 0) throw Napi::Error::New(info.Env(), "setrlimit failed");
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("endAfterSignals", Napi::Function::New<end_after_signals_of>(env));
  exports.Set("endWithin", Napi::Function::New<end_within>(env));
  exports.Set("forbidCoreDumps", Napi::Function::New<forbid_core_dumps>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(process_end, init)
