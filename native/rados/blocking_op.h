#pragma once
#include <functional>
#include <memory>
#include <string>

#include "connection.h"

// One blocking call of librados. Calls back with (code, numbers, texts): two arrays that each call fills
// as it says.
class BlockingOperation : public Operation {
 public:
  using Operation::Operation;
  int code = 0;
  std::vector<double> numbers;
  std::vector<std::string> texts;

 protected:
  void answer(Napi::Env env) override;
};

struct ConnectOptions {
  std::string user, cluster, conf;
  std::vector<std::pair<std::string, std::string>> settings;
};

// texts[0] is the cluster's id.
void connect(Connection& connection, const ConnectOptions& options, BlockingOperation& answer);
// texts are the names.
void list_pools(Connection& connection, BlockingOperation& answer);
// texts are the names that there are, numbers are objects and bytes of each.
void pool_stats(Connection& connection, std::list<std::string> names, BlockingOperation& answer);
// texts[0] is what the monitors say of all pools, as JSON.
void pool_details(Connection& connection, BlockingOperation& answer);
// Likewise; there is none when no pool of `names` has a cache tier or
// is one.
void pool_tiers(Connection& connection, const std::vector<std::string>& names, BlockingOperation& answer);
// numbers[0] stands for the pool from then on; numbers[1] is the alignment that the pool wants of appends, in
// bytes, 0 where any will do; numbers[2] is the id that the cluster gives to no other pool.
void open_pool(Connection& connection, const std::string& name, BlockingOperation& answer);
