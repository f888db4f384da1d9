#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "connection.h"

// Calls that concern no object. Each blocks, so a thread of Connection::blocking makes it.

// Makes the JavaScript value of a result, on the JavaScript thread.
using ToJavaScript = std::function<Napi::Value(Napi::Env)>;

// What a call returns: a negative errno, or how to make its result.
struct Outcome {
  int code = 0;
  ToJavaScript result;
};

using ClusterCall = std::function<Outcome(Connection&)>;

// One such call on its way.
class ClusterOperation : public Operation {
 public:
  ClusterOperation(const Napi::Value& callback, ClusterCall call);
  // On a blocking thread.
  void run(const std::shared_ptr<Connection>& connection);

 protected:
  Napi::Value result(Napi::Env env) override { return result_(env); }

 private:
  ClusterCall call_;
  ToJavaScript result_;
};

struct ConnectOptions {
  std::string user, cluster, conf;
  std::vector<std::pair<std::string, std::string>> settings;
};

// The results are those of LibradosCluster in src/sources/ceph/librados.ts.
Outcome connect(Connection& connection, const ConnectOptions& options);
Outcome list_pools(Connection& connection);
Outcome pool_stats(Connection& connection, const std::vector<std::string>& names);
Outcome pool_details(Connection& connection);
Outcome pool_tiers(Connection& connection, const std::vector<std::string>& names);
Outcome open_pool(Connection& connection, const std::string& name);
