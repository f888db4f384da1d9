{
  "variables": {
    # One addon alone, for prebuildify, which takes one file of a build.
    "addon%": "all",
    "with_rados%": 1
  },
  "target_defaults": {
    "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
    "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL",
                "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++17", "-fexceptions", "-O2", "-Wall", "-Wextra", "-Werror"]
  },
  "conditions": [
    ["addon in 'all chunk_cipher'", {"targets": [
      {
        "target_name": "chunk_cipher",
        "sources": ["native/chunk_cipher.cc"]
      }
    ]}],
    ["addon in 'all process_end'", {"targets": [
      {
        "target_name": "process_end",
        "sources": ["native/process_end.cc"],
        # Its threads and its signal handler outlive the thread that loaded it.
        "ldflags": ["-Wl,-z,nodelete"]
      }
    ]}],
    ["addon in 'all rados' and with_rados==1", {"targets": [
      {
        "target_name": "rados",
        "sources": [
          "native/rados/addon.cc",
          "native/rados/arguments.cc",
          "native/rados/cluster.cc",
          "native/rados/cluster_ops.cc",
          "native/rados/connection.cc",
          "native/rados/exit_guard.cc",
          "native/rados/list_op.cc",
          "native/rados/objects_op.cc",
          "native/rados/operation.cc",
          "native/rados/read_op.cc",
          "native/rados/stat_op.cc",
          "native/rados/task_threads.cc",
          "native/rados/write_op.cc"
        ],
        "libraries": ["-lrados"],
        # A worker thread unloads its addons when it ends; threads of this one may end later.
        "ldflags": ["-Wl,-z,nodelete"]
      }
    ]}]
  ]
}
