"""A Ceph client that shares no code with the program: ctypes over the C interface of librados, where
names and keys are bytes (python3-rados takes text). Reads CEPH_CONF and CEPH_KEYRING_ADMIN.

    ceph_client.py make POOL… | drop POOL… | write POOL | remove POOL | dump POOL
    ceph_client.py make-erasure POOL…               erasure-coded
    ceph_client.py mon                              a command for the monitors, as JSON from standard input

write and remove read objects as JSON lines from standard input, dump prints them. Bytes are hexadecimal.
"""
import ctypes as c
import hashlib
import json
import os
import subprocess
import sys
import tempfile

lib = c.CDLL("librados.so.2")
SIZE, P = c.c_size_t, c.c_void_p


def check(code, what):
    if code < 0:
        sys.exit(f"ceph_client: {what}: {os.strerror(-code)}")
    return code


def connect():
    cluster = P()
    check(lib.rados_create2(c.byref(cluster), b"ceph", b"client.admin", c.c_uint64(0)), "create")
    check(lib.rados_conf_read_file(cluster, os.environ["CEPH_CONF"].encode()), "conf")
    check(lib.rados_conf_set(cluster, b"keyring", os.environ["CEPH_KEYRING_ADMIN"].encode()), "keyring")
    check(lib.rados_conf_set(cluster, b"client_mount_timeout", b"30"), "timeout")
    check(lib.rados_connect(cluster), "connect")
    return cluster


def mon(cluster, given=b"", **command):
    text = json.dumps(command).encode()
    array = (c.c_char_p * 1)(text)
    out, out_size, status, status_size = P(), SIZE(), P(), SIZE()
    code = lib.rados_mon_command(cluster, array, SIZE(1), given, SIZE(len(given)), c.byref(out), c.byref(out_size), c.byref(status), c.byref(status_size))
    check(code, f"{command}: {c.string_at(status, status_size.value)}")
    return c.string_at(out, out_size.value)


THRICE = """rule thrice {
    id 99
    type erasure
    min_size 3
    max_size 3
    step take osd.0
    step emit
    step take osd.0
    step emit
    step take osd.0
    step emit
}
"""


def make_erasure(cluster, pool):
    """Ceph needs k of at least 2, so three shards; the one OSD of a dev cluster has all of them."""
    with tempfile.TemporaryDirectory() as folder:
        crush, text = f"{folder}/crush", f"{folder}/text"
        with open(crush, "wb") as file:
            file.write(mon(cluster, prefix="osd getcrushmap"))
        subprocess.run(["crushtool", "-d", crush, "-o", text], check=True)
        with open(text, "a+") as file:
            file.seek(0)
            if "rule thrice" not in file.read():
                file.write(THRICE)
        subprocess.run(["crushtool", "-c", text, "-o", crush], check=True)
        with open(crush, "rb") as file:
            mon(cluster, file.read(), prefix="osd setcrushmap")
    mon(cluster, prefix="osd erasure-code-profile set", name="dev", profile=["k=2", "m=1", "crush-failure-domain=osd"])
    mon(cluster, prefix="osd pool create", pool=pool, pg_num=4, pgp_num=4, pool_type="erasure", erasure_code_profile="dev", rule="thrice")
    mon(cluster, prefix="osd pool application enable", pool=pool, app="rados")


def open_pool(cluster, name):
    io = P()
    check(lib.rados_ioctx_create(cluster, os.fsencode(name), c.byref(io)), f"pool {name}")
    return io


def at(io, item):
    lib.rados_ioctx_set_namespace(io, bytes.fromhex(item["namespace"]))
    locator = bytes.fromhex(item["locator"])
    lib.rados_ioctx_locator_set_key(io, locator if locator else None)
    return bytes.fromhex(item["name"])


def write(io, item):
    name = at(io, item)
    if "data" in item:
        data = bytes.fromhex(item["data"])
    else:
        data = os.urandom(item["size"])
    if "mtime" in item:
        op, mtime = P(lib.rados_create_write_op()), c.c_long(item["mtime"])
        lib.rados_write_op_write_full(op, data, SIZE(len(data)))
        check(lib.rados_write_op_operate(op, io, name, c.byref(mtime), 0), "write")
        lib.rados_release_write_op(op)
        return
    if not data:
        op = P(lib.rados_create_write_op())
        lib.rados_write_op_create(op, 0, None)
        check(lib.rados_write_op_operate2(op, io, name, None, 0), "create")
        lib.rados_release_write_op(op)
    step = 32 << 20
    for offset in range(0, len(data), step):
        piece = data[offset : offset + step]
        check(lib.rados_write(io, name, piece, SIZE(len(piece)), c.c_uint64(item.get("offset", 0) + offset)), "write")
    for key, value in item.get("xattrs", []):
        value = bytes.fromhex(value)
        check(lib.rados_setxattr(io, name, bytes.fromhex(key), value, SIZE(len(value))), "setxattr")
    pairs = [(bytes.fromhex(key), bytes.fromhex(value)) for key, value in item.get("omap", [])]
    pairs += [(b"key%08d" % i, b"value %d" % i) for i in range(item.get("omapEntries", 0))]
    for first in range(0, len(pairs), 5000):
        page = pairs[first : first + 5000]
        keys = (c.c_char_p * len(page))(*[key for key, _ in page])
        values = (c.c_char_p * len(page))(*[value for _, value in page])
        key_sizes = (SIZE * len(page))(*[len(key) for key, _ in page])
        value_sizes = (SIZE * len(page))(*[len(value) for _, value in page])
        op = P(lib.rados_create_write_op())
        lib.rados_write_op_omap_set2(op, keys, values, key_sizes, value_sizes, SIZE(len(page)))
        check(lib.rados_write_op_operate2(op, io, name, None, 0), "omap")
        lib.rados_release_write_op(op)


def read_data(io, name, size):
    digest, offset = hashlib.sha256(), 0
    buffer = c.create_string_buffer(4 << 20)
    while offset < size:
        length = check(lib.rados_read(io, name, buffer, SIZE(len(buffer)), c.c_uint64(offset)), "read")
        if length == 0:
            break
        digest.update(buffer.raw[:length])
        offset += length
    return digest.hexdigest()


def read_xattrs(io, name):
    iterator, pairs = P(), []
    check(lib.rados_getxattrs(io, name, c.byref(iterator)), "getxattrs")
    while True:
        key, value, size = c.c_char_p(), P(), SIZE()
        check(lib.rados_getxattrs_next(iterator, c.byref(key), c.byref(value), c.byref(size)), "xattr")
        if key.value is None:
            break
        pairs.append((key.value.hex(), c.string_at(value, size.value).hex()))
    lib.rados_getxattrs_end(iterator)
    return sorted(pairs)


def read_empty_key(io, name):
    """The entry under the empty key. Pages begin after a key, so they never have it."""
    op, iterator, code = P(lib.rados_create_read_op()), P(), c.c_int()
    keys, sizes = (c.c_char_p * 1)(b""), (SIZE * 1)(0)
    lib.rados_read_op_omap_get_vals_by_keys2(op, keys, SIZE(1), sizes, c.byref(iterator), c.byref(code))
    check(lib.rados_read_op_operate(op, io, name, 0), "omap")
    check(code.value, "omap")
    key, value, key_size, size = P(), P(), SIZE(), SIZE()
    lib.rados_omap_get_next2(iterator, c.byref(key), c.byref(value), c.byref(key_size), c.byref(size))
    found = [c.string_at(value, size.value)] if key.value else []
    lib.rados_omap_get_end(iterator)
    lib.rados_release_read_op(op)
    return found


def read_omap(io, name):
    digest, count, after = hashlib.sha256(), 0, b""
    for value in read_empty_key(io, name):
        digest.update(b"empty key" + value)
        count += 1
    while True:
        op = P(lib.rados_create_read_op())
        iterator, more, code = P(), c.c_ubyte(), c.c_int()
        # The "start after" of this call is text: no key of the tests may have a zero byte there.
        lib.rados_read_op_omap_get_vals2(op, after, b"", c.c_uint64(1000), c.byref(iterator), c.byref(more), c.byref(code))
        check(lib.rados_read_op_operate(op, io, name, 0), "omap")
        check(code.value, "omap")
        while True:
            key, value, key_size, size = P(), P(), SIZE(), SIZE()
            lib.rados_omap_get_next2(iterator, c.byref(key), c.byref(value), c.byref(key_size), c.byref(size))
            if not key.value:
                break
            after = c.string_at(key, key_size.value)
            for part in (after, c.string_at(value, size.value)):
                digest.update(len(part).to_bytes(8, "little") + part)
            count += 1
        lib.rados_omap_get_end(iterator)
        lib.rados_release_read_op(op)
        if not more.value:
            return count, digest.hexdigest()


def dump(io):
    lib.rados_ioctx_set_namespace(io, b"\x01")  # LIBRADOS_ALL_NSPACES
    listing, found = P(), []
    check(lib.rados_nobjects_list_open(io, c.byref(listing)), "list")
    while True:
        entry, key, space = P(), P(), P()
        sizes = [SIZE(), SIZE(), SIZE()]
        code = lib.rados_nobjects_list_next2(listing, c.byref(entry), c.byref(key), c.byref(space), *[c.byref(s) for s in sizes])
        if code == -2:
            break
        check(code, "list")
        name, locator, namespace = (c.string_at(p, s.value).hex() if p.value else "" for p, s in zip((entry, key, space), sizes))
        found.append({"namespace": namespace, "locator": locator, "name": name})
    lib.rados_nobjects_list_close(listing)
    for item in sorted(found, key=lambda i: (i["namespace"], i["locator"], i["name"])):
        name = at(io, item)
        size, mtime = c.c_uint64(), c.c_int64()
        check(lib.rados_stat(io, name, c.byref(size), c.byref(mtime)), "stat")
        count, omap = read_omap(io, name)
        item |= {"size": size.value, "mtime": mtime.value, "sha256": read_data(io, name, size.value)}
        item |= {"xattrs": read_xattrs(io, name), "omapEntries": count, "omap": omap}
        print(json.dumps(item))


def main():
    command, *pools = sys.argv[1:]
    for name in ("rados_create_write_op", "rados_create_read_op"):
        getattr(lib, name).restype = P
    cluster = connect()
    if command == "mon":
        mon(cluster, **json.load(sys.stdin))
        lib.rados_wait_for_latest_osdmap(cluster)
    for pool in pools:
        if command == "make":
            mon(cluster, prefix="osd pool create", pool=pool, pg_num=4, pgp_num=4, pool_type="replicated", size=1)
            mon(cluster, prefix="osd pool application enable", pool=pool, app="rados")
            lib.rados_wait_for_latest_osdmap(cluster)
        elif command == "make-erasure":
            make_erasure(cluster, pool)
            lib.rados_wait_for_latest_osdmap(cluster)
        elif command == "drop":
            mon(cluster, prefix="osd pool delete", pool=pool, pool2=pool, yes_i_really_really_mean_it=True)
        elif command == "write":
            io = open_pool(cluster, pool)
            for line in sys.stdin:
                write(io, json.loads(line))
        elif command == "remove":
            io = open_pool(cluster, pool)
            for line in sys.stdin:
                check(lib.rados_remove(io, at(io, json.loads(line))), "remove")
        elif command == "dump":
            dump(open_pool(cluster, pool))
    lib.rados_shutdown(cluster)


main()
