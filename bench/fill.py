"""Fills a pool with objects of random bytes: fill.py POOL COUNT BYTES. Reads CEPH_CONF and CEPH_KEYRING_ADMIN."""
import os
import sys

import rados

pool, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
cluster = rados.Rados(conffile=os.environ["CEPH_CONF"], conf={"keyring": os.environ["CEPH_KEYRING_ADMIN"]})
cluster.connect()
io = cluster.open_ioctx(pool)
waiting = []
for i in range(count):
    waiting.append(io.aio_write_full(f"object-{i:08}", os.urandom(size)))
    if len(waiting) >= 32:
        waiting.pop(0).wait_for_complete()
for write in waiting:
    write.wait_for_complete()
os._exit(0)  # python3-rados now and then crashes while the interpreter takes it apart
