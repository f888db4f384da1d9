{
  "targets": [
    {
      "target_name": "rados",
      "sources": [
        "native/addon.cc",
        "native/cluster.cc",
        "native/list_op.cc",
        "native/names.cc",
        "native/packed_ops.cc",
        "native/read_op.cc",
        "native/task_threads.cc",
        "native/write_op.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-std=c++17", "-fexceptions", "-O2", "-Wall", "-Wextra", "-Werror"],
      "libraries": ["-lrados"]
    }
  ]
}
